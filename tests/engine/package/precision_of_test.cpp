#include "engine/package/precision_of.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/engine/support/small_models.hpp"

namespace shoal::package {
namespace {

std::string format_of(const archs::Model& model, std::string_view name) {
  const auto found =
      std::ranges::find_if(model.plan.tensors, [&](const graph::Tensor& one) { return one.name == name; });
  return found == model.plan.tensors.end() ? "there is none" : formats::format_name(found->format);
}

constexpr std::string_view kLayer = "model.layers.0.";

TEST(PrecisionOf, MatricesGetTheBitsAndVectorsStayFloats) {
  Serial serial;
  auto small = test::small_llama(serial);
  ASSERT_TRUE(choose_formats(small.model, {.bits = 4, .block = 16}));
  EXPECT_EQ(format_of(small.model, "model.embed_tokens.weight"), "q4-asym-s8z8-g16");
  EXPECT_EQ(format_of(small.model, "model.norm.weight"), "f32");
  // 24 columns cannot be cut into blocks.
  EXPECT_EQ(format_of(small.model, std::string(kLayer) + "mlp.down_proj.weight"), "f16");
}

TEST(PrecisionOf, MixedRaisesWhatIsSensitive) {
  Serial serial;
  auto small = test::small_llama(serial);
  ASSERT_TRUE(choose_formats(small.model, {.bits = 2, .is_mixed = true, .block = 16}));
  EXPECT_EQ(format_of(small.model, "model.embed_tokens.weight"), "q8-asym-s8z8-g16");
  EXPECT_EQ(format_of(small.model, std::string(kLayer) + "self_attn.o_proj.weight"), "q8-asym-s8z8-g16");
  EXPECT_EQ(format_of(small.model, std::string(kLayer) + "mlp.gate_proj+up_proj.weight"), "q2-asym-s8z8-g16");
}

TEST(PrecisionOf, ARuleMatchesAFusedMatrixByAnyOfItsParts) {
  Serial serial;
  auto small = test::small_llama(serial);
  ASSERT_TRUE(choose_formats(small.model, {.bits = 4, .block = 16, .keep = {{"*.v_proj.weight", 8}}}));
  EXPECT_EQ(format_of(small.model, std::string(kLayer) + "self_attn.q_proj+k_proj+v_proj.weight"), "q8-asym-s8z8-g16");
  EXPECT_EQ(format_of(small.model, std::string(kLayer) + "self_attn.o_proj.weight"), "q4-asym-s8z8-g16");
  const auto refused = choose_formats(small.model, {.bits = 4, .block = 16, .keep = {{"*.w_proj.weight", 8}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().param, "keep");
}

TEST(PrecisionOf, CountsParameters) {
  Serial serial;
  const auto small = test::small_llama(serial);
  // An embedding; in each layer q, k, v, o, the three of the feed-forward and two norms; the last norm.
  constexpr std::uint64_t kInLayer = 2 * 16 * 16 + 2 * 8 * 16 + 3 * 24 * 16 + 2 * 16;
  const std::uint64_t computed = parameters_of(small.model.plan) - (50 * 16 + 2 * kInLayer + 16);
  EXPECT_LE(computed, 64U);  // rotary frequencies
}

}  // namespace
}  // namespace shoal::package
