#include "engine/quantize/precision.hpp"

#include <gtest/gtest.h>

namespace shoal::quantize {
namespace {

using formats::format_name;

std::vector<WeightShape> model() {
  std::vector<WeightShape> weights;
  const auto add = [&](std::string name, std::uint64_t n, std::uint64_t k, bool is_matrix = true) {
    const Role role = role_of(name);
    weights.push_back({std::move(name), role, n, k, is_matrix});
  };
  add("model.embed_tokens.weight", 49152, 576);
  add("model.layers.0.self_attn.q_proj.weight", 576, 576);
  add("model.layers.0.mlp.down_proj.weight", 576, 1536);
  add("model.layers.0.input_layernorm.weight", 1, 576, false);
  add("lm_head.weight", 49152, 576);
  return weights;
}

std::vector<std::string> names(const PrecisionRequest& request) {
  std::vector<std::string> result;
  const auto weights = model();
  const auto planned = plan_precision(weights, request);
  EXPECT_TRUE(planned);
  for (const auto& format : *planned) {
    result.push_back(format_name(format));
  }
  return result;
}

TEST(Precision, RolesFollowTheNamesOfModels) {
  const std::pair<std::string_view, Role> cases[] = {
      {"model.embed_tokens.weight", Role::kEmbedding},
      {"bert.embeddings.word_embeddings.weight", Role::kEmbedding},
      {"embeddings.LayerNorm.weight", Role::kNorm},
      {"encoder.layer.0.attention.output.LayerNorm.bias", Role::kNorm},
      {"encoder.layer.0.attention.output.dense.weight", Role::kAttention},
      {"encoder.layer.0.output.dense.weight", Role::kFfn},
      {"encoder.layer.0.intermediate.dense.weight", Role::kFfn},
      {"transformer.h.0.attn.c_attn.weight", Role::kAttention},
      {"transformer.h.0.mlp.c_fc.weight", Role::kFfn},
      {"transformer.ln_f.weight", Role::kNorm},
      {"transformer.wte.weight", Role::kEmbedding},
      {"encoder.block.0.layer.0.SelfAttention.q.weight", Role::kAttention},
      {"decoder.block.0.layer.2.DenseReluDense.wi.weight", Role::kFfn},
      {"shared.weight", Role::kEmbedding},
      {"lm_head.weight", Role::kHead},
      {"output.weight", Role::kHead},
      {"token_embd.weight", Role::kEmbedding},
      {"blk.0.attn_q.weight", Role::kAttention},
      {"blk.0.attn_norm.weight", Role::kNorm},
      {"blk.0.ffn_down.weight", Role::kFfn},
      {"model.decoder.layers.0.fc1.weight", Role::kFfn},
      {"pooler.dense.weight", Role::kOther},
  };
  for (const auto& [name, role] : cases) {
    EXPECT_EQ(role_name(role_of(name)), role_name(role)) << name;
  }
}

TEST(Precision, PlainRequestsGiveEveryMatrixTheBits) {
  EXPECT_EQ(names({.bits = 4}), (std::vector<std::string>{"q4-asym-s8z8-g32", "q4-asym-s8z8-g32", "q4-asym-s8z8-g32",
                                                          "f16", "q4-asym-s8z8-g32"}));
  EXPECT_EQ(names({.bits = 32}), (std::vector<std::string>{"f32", "f32", "f32", "f32", "f32"}));
}

TEST(Precision, MixedRaisesAttentionEmbeddingAndHead) {
  EXPECT_EQ(
      names({.bits = 2, .is_mixed = true, .block = 128, .scheme = formats::Scheme::kSymmetric}),
      (std::vector<std::string>{"q8-sym-s8z8-g64", "q8-sym-s8z8-g64", "q2-sym-s8z8-g128", "f16", "q8-sym-s8z8-g64"}));
  EXPECT_EQ(names({.bits = 8, .is_mixed = true})[1], "q8-asym-s8z8-g32");
}

TEST(Precision, TheLastKeepRuleThatMatchesCounts) {
  PrecisionRequest request{.bits = 2};
  request.keep = {*parse_keep("*=3"), *parse_keep("attention=16"), *parse_keep("*.0.mlp.*=8"), *parse_keep("norm=32")};
  EXPECT_EQ(names(request),
            (std::vector<std::string>{"q3-asym-s8z8-g32", "f16", "q8-asym-s8z8-g32", "f32", "q3-asym-s8z8-g32"}));
}

TEST(Precision, RulesThatSayNothingAreRefused) {
  for (const std::string_view text : {"", "ffn", "ffn=", "=4", "ffn=5", "ffn=4x", "ffn=-4", "ffn=99999999999"}) {
    EXPECT_FALSE(parse_keep(text)) << text;
  }
  const auto weights = model();
  const auto planned = plan_precision(weights, {.keep = {{"*.9.*", 8}}});
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().param, "keep");
  EXPECT_EQ(plan_precision(weights, {.bits = 5}).error().code, Code::kPrecisionNotSupported);
  EXPECT_EQ(plan_precision(weights, {.block = 48}).error().code, Code::kInvalidArgument);
}

TEST(Precision, GlobsMatchWholeNames) {
  const auto matches = [](std::string pattern, std::string name) {
    return KeepRule{std::move(pattern), 4}.matches({std::move(name), Role::kOther, 1, 1, true});
  };
  EXPECT_TRUE(matches("a*b?c", "axxbyc"));
  EXPECT_TRUE(matches("*b*", "b"));
  EXPECT_TRUE(matches("a**", "a"));
  EXPECT_FALSE(matches("a", "ab"));
  EXPECT_FALSE(matches("a?", "a"));
  EXPECT_FALSE(matches("*.q", "x.q.r"));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_TRUE(matches("other", "anything"));
  EXPECT_FALSE(matches(std::string(60, '*') + "x", std::string(2000, 'a'))) << "and quickly";
}

TEST(Precision, RowsWithoutBlocksStayF16) {
  const std::vector<WeightShape> weights = {{"conv.weight", Role::kOther, 8, 27, true}};
  EXPECT_EQ(format_name(plan_precision(weights, {.bits = 4})->front()), "f16");
  EXPECT_EQ(default_block(134'500'000), 32U);
  EXPECT_EQ(default_block(1'500'000'000), 128U);
}

}  // namespace
}  // namespace shoal::quantize
