#include "server/dispatch/candidates.hpp"

#include <gtest/gtest.h>

#include "tests/server/dispatch/test_model.hpp"

namespace shoal::dispatch {
namespace {

TEST(Ways, FollowTheModelsOrderAndBuildStaticShapesForWebnn) {
  const auto model = test_model({Backend::kWebnn, Backend::kWasm});
  const std::vector<Tensor> inputs = {test_input(2, 5)};
  const auto ways = ways_of(*model, inputs, {});
  ASSERT_TRUE(ways);
  ASSERT_EQ(ways->size(), 2U);
  EXPECT_EQ((*ways)[0].candidate.instance, "m:1#aaaaaaaaaaaa@webnn[batch=4,length=16]");
  EXPECT_EQ((*ways)[0].load.free_dimensions.at("length"), 16U);
  EXPECT_TRUE((*ways)[0].is_padded);
  EXPECT_EQ((*ways)[1].candidate.instance, "m:1#aaaaaaaaaaaa@wasm");
  EXPECT_FALSE((*ways)[1].is_padded);
}

TEST(Ways, WithoutBucketsAreExact) {
  const auto model = test_model({Backend::kWebnn});
  model->webnn_buckets.clear();
  const std::vector<Tensor> inputs = {test_input(2, 5)};
  const auto ways = ways_of(*model, inputs, {});
  ASSERT_TRUE(ways);
  EXPECT_EQ(ways->front().built, (schedule::Dimensions{{"batch", 2}, {"length", 5}}));
  EXPECT_FALSE(ways->front().is_padded);
}

TEST(Ways, DemandsThatCannotBeMetAreTyped) {
  const auto model = test_model({Backend::kWasm});
  const std::vector<Tensor> inputs = {test_input(1, 1)};
  Demand demand;
  demand.backend = Backend::kWebgpu;
  EXPECT_EQ(ways_of(*model, inputs, demand).error().code, Code::kBackendUnavailable);
  demand = {};
  demand.bits = 4;
  EXPECT_EQ(ways_of(*model, inputs, demand).error().code, Code::kPrecisionNotSupported);
  demand = {};
  demand.variant = "q3";
  EXPECT_EQ(ways_of(*model, inputs, demand).error().code, Code::kNotFound);
}

TEST(Ways, OfAPackageLoadItsPlanWithinItsLimits) {
  const auto model = test_model({Backend::kWasm});
  const std::vector<Tensor> inputs = {test_input(1, 1)};
  EXPECT_EQ(ways_of(*model, inputs, {})->front().load.engine, "");
  const std::string before = instance_prefix(*model);
  model->plan = models::PlanConfig{.variant = "q4", .bits = 4, .limits = {{"B", 8}, {"T", 512}}};
  const auto ways = ways_of(*model, inputs, {});
  ASSERT_TRUE(ways);
  EXPECT_EQ(ways->front().load.engine, "plan");
  EXPECT_EQ(ways->front().load.plan_limits, model->plan->limits);
  // Other limits are another instance.
  EXPECT_NE(instance_prefix(*model), before);
  const std::string with_512 = instance_prefix(*model);
  model->plan->limits["T"] = 1024;
  EXPECT_NE(instance_prefix(*model), with_512);
  Demand demand;
  demand.bits = 4;
  demand.variant = "q4";
  EXPECT_TRUE(ways_of(*model, inputs, demand));
  demand.variant = "q8";
  EXPECT_EQ(ways_of(*model, inputs, demand).error().param, "shoal_variant");
  demand.variant = {};
  demand.bits = 8;
  EXPECT_EQ(ways_of(*model, inputs, demand).error().code, Code::kPrecisionNotSupported);
}

TEST(Ways, APreferenceIsAWishAndNoDemand) {
  const auto model = test_model({Backend::kWasm, Backend::kWebgpu});
  const std::vector<Tensor> inputs = {test_input(1, 1)};
  Demand demand;
  demand.preference = {Backend::kWebnn, Backend::kWebgpu, Backend::kWasm};
  const auto ways = ways_of(*model, inputs, demand, {{Backend::kWasm, false}});
  ASSERT_TRUE(ways);
  ASSERT_EQ(ways->size(), 2U) << "the model is not offered on webnn";
  EXPECT_EQ((*ways)[0].candidate.backend, Backend::kWebgpu);
  EXPECT_EQ(preferred_before(demand, Backend::kWebgpu), "webnn");
  EXPECT_EQ(preferred_before(demand, Backend::kWasm), "webnn,webgpu");
  EXPECT_EQ(preferred_before(demand, Backend::kWebnn), "");
  demand.preference = {Backend::kWebnn};
  EXPECT_EQ(ways_of(*model, inputs, demand).error().code, Code::kBackendUnavailable);
}

TEST(Ways, TheOrderOfThePoolIsTakenWhereNothingIsDemanded) {
  const auto model = test_model({Backend::kWasm, Backend::kWebgpu});
  model->residency.max_workers = 2;
  const std::vector<Tensor> inputs = {test_input(1, 1)};
  const Order order = {{Backend::kWebgpu, true}, {Backend::kWasm, false}, {Backend::kWebgpu, false}};
  const auto ways = ways_of(*model, inputs, {}, order);
  ASSERT_EQ(ways->size(), 3U);
  EXPECT_TRUE((*ways)[0].candidate.is_prior);
  EXPECT_FALSE((*ways)[2].candidate.is_prior);
  EXPECT_EQ((*ways)[0].candidate.instance, (*ways)[2].candidate.instance);
  EXPECT_EQ((*ways)[0].candidate.max_workers, 2U);
  EXPECT_EQ(warm_ways_of(*model, order).size(), 2U) << "each graph once";
  Demand demand;
  demand.backend = Backend::kWasm;
  EXPECT_EQ(ways_of(*model, inputs, demand, order)->size(), 1U);
}

TEST(Ways, ShapeAboveTheLargestBucketFallsBackOrFails) {
  const std::vector<Tensor> inputs = {test_input(1, 17)};
  EXPECT_EQ(ways_of(*test_model({Backend::kWebnn}), inputs, {}).error().code, Code::kInvalidArgument);
  const auto ways = ways_of(*test_model({Backend::kWebnn, Backend::kWasm}), inputs, {});
  ASSERT_TRUE(ways);
  EXPECT_EQ(ways->size(), 1U);
}

TEST(Padding, CropUndoesItOnOutputsAndEmbeddings) {
  const auto model = test_model({Backend::kWebnn});
  const std::vector<Tensor> inputs = {test_input(2, 5)};
  const auto ways = ways_of(*model, inputs, {});
  const auto padded = padded_inputs(*model, inputs, ways->front());
  EXPECT_EQ(padded[0].shape, (Shape{4, 16}));
  EXPECT_EQ(padded[0].data.substr(0, 20), inputs[0].data.substr(0, 20));
  std::vector<Tensor> outputs = {{"y", DataType::kFp32, {4, 16, 2}, std::string(4 * 16 * 2 * 4, 'o')},
                                 {"embedding", DataType::kFp32, {4, 3}, std::string(4 * 3 * 4, 'e')}};
  crop_outputs(*model, inputs, outputs);
  EXPECT_EQ(outputs[0].shape, (Shape{2, 5, 2}));
  EXPECT_EQ(outputs[0].data.size(), 2U * 5 * 2 * 4);
  EXPECT_EQ(outputs[1].shape, (Shape{2, 3}));
}

}  // namespace
}  // namespace shoal::dispatch
