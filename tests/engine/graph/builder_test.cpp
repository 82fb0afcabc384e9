#include "engine/graph/builder.hpp"

#include <gmock/gmock.h>

#include "tests/engine/graph/small_plan.hpp"

namespace shoal::graph {
namespace {

TEST(Builder, InfersShapesAndKeepsLayers) {
  const Plan plan = small_plan();
  const Signature& encode = *plan.find("encode");
  EXPECT_EQ(plan.find("decode"), nullptr);
  ASSERT_EQ(encode.layers.size(), 3U);
  EXPECT_EQ(encode.layers[1].name, "layer");
  EXPECT_EQ(encode.layers[1].first_op, 1U);
  EXPECT_EQ(encode.layers[1].op_count, 3U);
  EXPECT_EQ(plan.tensors[encode.outputs[0].tensor].shape, (Shape{extent(Symbol::kTokens), fixed(8)}));
  EXPECT_EQ(plan.tensors[encode.outputs[1].tensor].shape, (Shape{extent(Symbol::kRows), fixed(8)}));
  EXPECT_EQ(encode.inputs.size(), 2U);
}

TEST(Builder, AWeightOfOneNameIsOneWeight) {
  Builder b("small");
  EXPECT_EQ(b.weight("w", {2, 3}), b.weight("w", {2, 3}));
  EXPECT_FALSE(b.failed());
  b.weight("w", {3, 2});
  EXPECT_TRUE(b.failed());
}

TEST(Builder, TheFirstMistakeIsReported) {
  Builder b = small_builder();
  const TensorId x = b.apply(Linear{}, {b.input("tokens"), b.weight("w", {2, 3})});
  EXPECT_EQ(x, kNoTensor);
  b.output("more", b.apply(Gate{}, {x}));
  b.input("pixels");
  const auto plan = std::move(b).finish();
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, testing::HasSubstr("head: linear: x is missing or of the wrong kind"));
}

TEST(Builder, AViewOfAViewIsAViewOfItsBase) {
  Builder b("views");
  b.begin("encode");
  const TensorId x = b.apply(Embedding{}, {b.input("tokens"), b.weight("table", {10, 8})});
  const TensorId inner = b.view(b.view(x, 2, 6), 3, 2);
  EXPECT_EQ(b.plan().tensors[inner].view_of, x);
  EXPECT_EQ(b.plan().tensors[inner].view_column, 5U);
}

}  // namespace
}  // namespace shoal::graph
