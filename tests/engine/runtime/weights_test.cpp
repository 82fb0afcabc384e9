#include "engine/runtime/weights.hpp"

#include <gmock/gmock.h>

#include <cstring>

#include "engine/graph/places.hpp"
#include "engine/runtime/executor.hpp"
#include "tests/engine/support/small_models.hpp"

namespace shoal::runtime {
namespace {

// A model's weights copied into two shards, as a package has them, and the plan that says where.
struct Placed {
  graph::Plan plan;
  std::vector<AlignedBytes> memory;

  explicit Placed(const test::SmallModel& small) : plan(small.model.plan) {
    plan.shards = {{.sha256 = std::string(64, 'a')}, {.sha256 = std::string(64, 'b')}};
    for (graph::Tensor& tensor : plan.tensors) {
      if (tensor.kind == graph::TensorKind::kWeight) {
        tensor.shard = tensor.shape.size() == 2 ? 0 : 1;
        graph::Shard& shard = plan.shards[tensor.shard];
        tensor.offset = (shard.bytes + 63) / 64 * 64;
        shard.bytes = tensor.offset + graph::stored_bytes(tensor).value();
      }
    }
    for (const graph::Shard& shard : plan.shards) {
      memory.push_back(AlignedBytes::make(shard.bytes).value());
    }
    for (graph::TensorId id = 0; id < plan.tensors.size(); ++id) {
      const graph::Tensor& tensor = plan.tensors[id];
      if (tensor.kind == graph::TensorKind::kWeight) {
        const void* from = tensor.shape.size() == 2 ? static_cast<const void*>(small.weights.matrix(id).data)
                                                    : static_cast<const void*>(small.weights.vector(id));
        std::memcpy(memory[tensor.shard].data() + tensor.offset, from, graph::stored_bytes(tensor).value());
      }
    }
  }

  [[nodiscard]] std::vector<Bytes> shards() const {
    std::vector<Bytes> out;
    for (const AlignedBytes& one : memory) {
      out.emplace_back(one.data(), one.size());
    }
    return out;
  }
};

std::vector<float> embedding(const graph::Plan& plan, const Weights& weights) {
  Serial serial;
  graph::Extents limits;
  limits[graph::Symbol::kRows] = 1;
  limits[graph::Symbol::kTokens] = limits[graph::Symbol::kOutputs] = 8;
  const auto executor = Executor::make(plan, weights, limits, serial);
  const std::vector<std::int32_t> tokens = {1, 2, 3, 4, 5};
  const Row row{.tokens = tokens};
  const auto done = (*executor)->run("encode", *make_step({&row, 1}));
  EXPECT_TRUE(done) << done.error().message;
  const auto output = (*executor)->output("embedding");
  return {output->row(0), output->row(0) + output->columns};
}

TEST(Weights, OfAPackageAreReadWhereTheyLie) {
  Serial serial;
  const auto small = test::small_bert(serial);
  const Placed placed(small);
  const auto weights = Weights::place(placed.plan, placed.shards());
  ASSERT_TRUE(weights) << weights.error().message;
  EXPECT_EQ(weights->bytes(), small.weights.bytes());
  EXPECT_EQ(embedding(placed.plan, *weights), embedding(small.model.plan, small.weights));
  for (graph::TensorId id = 0; id < placed.plan.tensors.size(); ++id) {
    const graph::Tensor& tensor = placed.plan.tensors[id];
    if (tensor.kind == graph::TensorKind::kWeight && tensor.shape.size() == 2) {
      EXPECT_EQ(weights->matrix(id).data, placed.memory[tensor.shard].data() + tensor.offset);
    }
  }
}

TEST(Weights, ShardsThatAreNotThoseOfThePlanAreRefused) {
  Serial serial;
  const Placed placed(test::small_bert(serial));
  const auto message_of = [&](const std::vector<Bytes>& shards) {
    const auto weights = Weights::place(placed.plan, shards);
    EXPECT_FALSE(weights);
    return weights ? std::string() : weights.error().message;
  };
  auto shards = placed.shards();
  shards.pop_back();
  EXPECT_THAT(message_of(shards), testing::HasSubstr("1 shards of 2"));
  shards = placed.shards();
  shards[1] = shards[1].first(shards[1].size() - 1);
  EXPECT_THAT(message_of(shards), testing::HasSubstr("shard bbbb"));
  shards = placed.shards();
  auto moved = AlignedBytes::make(shards[0].size() + 4).value();
  shards[0] = Bytes(moved.data() + 4, shards[0].size());
  EXPECT_THAT(message_of(shards), testing::HasSubstr("does not begin on a multiple of 64"));
}

}  // namespace
}  // namespace shoal::runtime
