#include "engine/graph/buffers.hpp"

#include "tests/engine/graph/small_plan.hpp"

namespace shoal::graph {
namespace {

TEST(Buffers, AChainNeedsTwo) {
  Builder b("chain");
  b.begin("encode");
  TensorId x = b.apply(Embedding{}, {b.input("tokens"), b.weight("table", {10, 8})});
  for (int layer = 0; layer < 10; ++layer) {
    x = b.apply(Linear{}, {x, b.weight("w" + std::to_string(layer), {8, 8})});
  }
  b.output("x", x);
  const auto plan = std::move(b).finish();
  ASSERT_TRUE(plan) << plan.error().message;
  const Signature& signature = plan->signatures[0];
  EXPECT_EQ(signature.buffers.size(), 2U);
  Extents extents;
  extents[Symbol::kTokens] = 5;
  EXPECT_EQ(buffer_bytes(signature, extents), 2U * 5 * 8 * sizeof(float));
}

TEST(Buffers, ElementwiseOperationsWorkInPlace) {
  Builder b("in_place");
  b.begin("encode");
  TensorId x = b.apply(Embedding{}, {b.input("tokens"), b.weight("table", {10, 8})});
  x = b.apply(Embedding{}, {b.input("positions"), b.weight("places", {10, 8}), x});
  x = b.apply(LayerNorm{.epsilon = 0, .width = 8}, {x, b.weight("norm", {8})});
  b.output("x", b.apply(L2Normalize{}, {x}));
  const auto plan = std::move(b).finish();
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->signatures[0].buffers.size(), 1U);
}

TEST(Buffers, ASumOfAValueWithItselfAndALaterReadKeepTheValue) {
  Builder b("kept");
  b.begin("encode");
  const TensorId x = b.apply(Embedding{}, {b.input("tokens"), b.weight("table", {10, 8})});
  const TensorId normal = b.apply(LayerNorm{.epsilon = 0, .width = 8}, {x, b.weight("norm", {8})});
  b.output("sum", b.apply(Add{}, {x, normal}));
  const auto plan = std::move(b).finish();
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_NE(plan->tensors[x].buffer, plan->tensors[normal].buffer);
}

TEST(Buffers, AViewKeepsItsBaseAlive) {
  const Plan plan = small_plan();
  const Signature& signature = plan.signatures[0];
  const auto lives = lifetimes(plan, signature);
  const TensorId qkv = signature.ops[1].output;
  EXPECT_EQ(lives[qkv].made, 1U);
  EXPECT_EQ(lives[qkv].last_read, 2U);
  EXPECT_EQ(lives[signature.ops[2].inputs[2]].last_read, 2U);
  EXPECT_EQ(lives[signature.ops[0].output].last_read, 3U);                        // the residual
  EXPECT_EQ(lives[signature.outputs[0].tensor].last_read, signature.ops.size());  // an output
  EXPECT_EQ(lives[0].made, kNever);                                               // an input
}

}  // namespace
}  // namespace shoal::graph
