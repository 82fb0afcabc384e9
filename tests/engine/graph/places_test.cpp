#include "engine/graph/places.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>

#include "engine/graph/verify.hpp"
#include "tests/engine/graph/small_plan.hpp"

namespace shoal::graph {
namespace {

Tensor& weight(Plan& plan, std::string_view name) {
  return *std::ranges::find_if(plan.tensors, [&](const Tensor& tensor) { return tensor.name == name; });
}

TEST(Places, AcceptsWeightsWithinTheirShards) {
  const auto verdict = verify(placed_plan());
  EXPECT_TRUE(verdict) << verdict.error().message;
}

TEST(Places, AMatrixTakesItsLayoutAndAVectorFloats) {
  Plan plan = small_plan();
  weight(plan, "out").format = {.codes = formats::Codes::kQ4, .block = 16};
  weight(plan, "norm").format = {.codes = formats::Codes::kF16};
  EXPECT_EQ(stored_bytes(weight(plan, "table")).value(), 16 * 8 * sizeof(float));  // rows come in tiles of 16
  EXPECT_EQ(stored_bytes(weight(plan, "norm")).value(), 8 * sizeof(float));
  EXPECT_EQ(stored_bytes(weight(plan, "out")).error().code, Code::kPrecisionNotSupported);
}

TEST(Places, RefusesAPlaceWhereNoWeightCanBe) {
  struct Case {
    const char* reason;
    std::function<void(Plan&)> break_it;
  };
  const Case cases[] = {
      {"weight 'qkv' has no place in a shard", [](Plan& p) { weight(p, "qkv").shard = kNoShard; }},
      {"weight 'qkv' lies in shard 2 of 2", [](Plan& p) { weight(p, "qkv").shard = 2; }},
      {"begins at 4, which is no multiple of 64", [](Plan& p) { weight(p, "table").offset = 4; }},
      {"weight 'out' reaches beyond the", [](Plan& p) { weight(p, "out").offset += 64; }},
      {"weight 'out' reaches beyond the", [](Plan& p) { weight(p, "out").offset = 0xFFFFFFFFFFFFFFC0ULL; }},
      {"weight 'table' reaches beyond the 64 bytes", [](Plan& p) { p.shards[0].bytes = 64; }},
      {"shard 1 has 0 bytes", [](Plan& p) { p.shards[1].bytes = 0; }},
      {"shard 1 has 4294967297 bytes", [](Plan& p) { p.shards[1].bytes = kMaxShardBytes + 1; }},
      {"shard 0 is not named by 64", [](Plan& p) { p.shards[0].sha256.pop_back(); }},
      {"shard 0 is not named by 64", [](Plan& p) { p.shards[0].sha256[3] = 'A'; }},
      {"shard 0 is not named by 64", [](Plan& p) { p.shards[0].sha256 = "../" + std::string(61, '0'); }},
      {"65537 shards", [](Plan& p) { p.shards.resize(kMaxShards + 1, p.shards[0]); }},
      {"weight 'out' has no layout",
       [](Plan& p) { weight(p, "out").format = {.codes = formats::Codes::kQ4, .block = 48}; }},
      {"tensor 'tokens' has a place", [](Plan& p) { weight(p, "tokens").shard = 0; }},
      {"tensor 'tokens' has a place", [](Plan& p) { weight(p, "tokens").offset = 64; }},
      {"has a place in a shard, expected none", [](Plan& p) { p.shards.clear(); }},
  };
  for (const Case& one : cases) {
    Plan plan = placed_plan();
    one.break_it(plan);
    const auto verdict = verify(plan);
    ASSERT_FALSE(verdict) << one.reason;
    EXPECT_EQ(verdict.error().code, Code::kGraphBuildingError);
    EXPECT_THAT(verdict.error().message, testing::HasSubstr(one.reason));
  }
}

}  // namespace
}  // namespace shoal::graph
