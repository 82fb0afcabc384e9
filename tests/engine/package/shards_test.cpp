#include "engine/package/shards.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "engine/graph/places.hpp"

namespace shoal::package {
namespace {

using graph::fixed;

// A plan of weights alone.
graph::Tensor weight(const std::string& name, std::vector<std::uint32_t> shape, formats::BlockFormat format = {}) {
  graph::Tensor out{.name = name, .kind = graph::TensorKind::kWeight, .format = format};
  for (const std::uint32_t size : shape) {
    out.shape.push_back(fixed(size));
  }
  return out;
}

graph::Plan plan_of(std::vector<graph::Tensor> tensors) {
  graph::Plan plan;
  plan.tensors = std::move(tensors);
  return plan;
}

constexpr formats::BlockFormat kQ4{.codes = formats::Codes::kQ4};
constexpr std::uint32_t kMiBOfF32 = 1U << 18;  // elements

TEST(Shards, EachStorageFormatHasItsOwn) {
  graph::Plan plan = plan_of({weight("a", {16, 32}, kQ4), weight("norm", {10}), weight("b", {16, 16}),
                              weight("c", {32, 32}, kQ4), weight("bias", {7})});
  plan.tensors.push_back({.name = "tokens", .kind = graph::TensorKind::kInput});
  const auto contents = place_weights(plan);
  ASSERT_TRUE(contents) << contents.error().message;
  EXPECT_THAT(*contents,
              testing::ElementsAre(testing::ElementsAre(0, 3), testing::ElementsAre(1, 4), testing::ElementsAre(2)));
  EXPECT_EQ(plan.tensors[4].offset, 64U);  // 10 floats, rounded up
  EXPECT_EQ(plan.shards[1].bytes, 64U + 7 * sizeof(float));
  EXPECT_EQ(plan.tensors[5].shard, graph::kNoShard);
}

TEST(Shards, AreNeitherTinyNorHuge) {
  std::vector<graph::Tensor> tensors;
  for (int index = 0; index < 40; ++index) {
    tensors.push_back(
        weight("w" + std::to_string(index), {16, (1 + static_cast<std::uint32_t>(index) % 20) * kMiBOfF32 / 16}));
  }
  graph::Plan plan = plan_of(std::move(tensors));
  ASSERT_TRUE(place_weights(plan));
  ASSERT_GT(plan.shards.size(), 5U);
  for (std::size_t index = 0; index + 1 < plan.shards.size(); ++index) {
    EXPECT_GE(plan.shards[index].bytes, std::uint64_t{16} << 20);
    EXPECT_LE(plan.shards[index].bytes, kMostShardBytes);
  }
}

TEST(Shards, AWeightThatIsLargerThanAShardHasOneOfItsOwn) {
  graph::Plan plan =
      plan_of({weight("small", {16, 16}), weight("large", {16, 100 * kMiBOfF32 / 16}), weight("last", {16, 16})});
  ASSERT_TRUE(place_weights(plan));
  EXPECT_EQ(plan.tensors[1].shard, 1U);
  EXPECT_EQ(plan.tensors[1].offset, 0U);
  EXPECT_EQ(plan.tensors[2].shard, 2U);
  EXPECT_EQ(plan.shards[1].bytes, std::uint64_t{100} << 20);
  plan = plan_of({weight("huge", {1U << 14, 1U << 17})});
  EXPECT_EQ(place_weights(plan).error().code, Code::kResourceLimit);
}

TEST(Shards, AMatrixThatItsFormatDoesNotHoldIsNamed) {
  graph::Plan plan = plan_of({weight("odd", {16, 30}, kQ4)});
  EXPECT_THAT(place_weights(plan).error().message, testing::HasSubstr("weight 'odd'"));
}

}  // namespace
}  // namespace shoal::package
