#include "server/dispatch/joining.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/server/dispatch/test_model.hpp"

namespace shoal::dispatch {
namespace {

Tensor integers(std::string name, Shape shape, const std::vector<std::int64_t>& values) {
  Tensor tensor{std::move(name), DataType::kInt64, std::move(shape), std::string(values.size() * 8, '\0')};
  std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
  return tensor;
}

// Token ids and a mask in; token states out.
std::shared_ptr<models::ModelVersion> encoder() {
  auto model = test_model({Backend::kWasm});
  model->inputs = {{"input_ids", DataType::kInt64, {-1, -1}, {"batch", "length"}, true},
                   {"attention_mask", DataType::kInt64, {-1, -1}, {"batch", "length"}, true}};
  model->outputs = {{"states", DataType::kInt64, {-1, -1, 1}, {"batch", "length", ""}, true}};
  model->embedding = models::EmbeddingConfig{};
  model->embedding->pad_id = 7;
  model->scheduling.max_rows = 8;
  return model;
}

InferenceRequest request_of(std::shared_ptr<models::ModelVersion> model, std::vector<Tensor> inputs) {
  InferenceRequest request;
  request.model = std::move(model);
  request.inputs = std::move(inputs);
  return request;
}

std::string key_of(const InferenceRequest& request) {
  schedule::Job job;
  set_joining(request, job);
  return job.batch_key;
}

TEST(Joining, OnlyWhatHasTheSameShapesAndIsAskedTheSame) {
  auto model = test_model({Backend::kWasm});
  EXPECT_TRUE(key_of(request_of(model, {test_input(2, 3)})).empty()) << "its owner has not said that it may be";
  model->scheduling.max_rows = 8;
  const auto plain = request_of(model, {test_input(2, 3)});
  EXPECT_EQ(key_of(plain), key_of(request_of(model, {test_input(1, 3)})));
  EXPECT_NE(key_of(plain), key_of(request_of(model, {test_input(2, 4)}))) << "nothing says what pads it";
  auto other = plain;
  other.outputs = {"y"};
  EXPECT_NE(key_of(plain), key_of(other));
  other = plain;
  other.pooling = Pooling{};
  EXPECT_NE(key_of(plain), key_of(other));
  EXPECT_TRUE(key_of(request_of(model, {test_input(0, 3)})).empty()) << "no rows";
  model->is_decoupled = true;
  EXPECT_TRUE(key_of(plain).empty()) << "its responses could not be told apart";
}

TEST(Joining, ASentenceEncodersLengthsMayDifferWhereThePaddingCanBeCutOff) {
  auto model = encoder();
  const auto request = [&](std::int64_t length) {
    const std::vector<std::int64_t> values(static_cast<std::size_t>(length), 1);
    return request_of(model,
                      {integers("input_ids", {1, length}, values), integers("attention_mask", {1, length}, values)});
  };
  schedule::Job job;
  set_joining(request(5), job);
  EXPECT_EQ(job.length, 5U);
  EXPECT_EQ(job.rows, 1U);
  EXPECT_EQ(job.batch_key, key_of(request(3)));
  model->outputs[0].dim_names[1] = "something else";
  EXPECT_NE(key_of(request(5)), key_of(request(3)));
  auto pooled = request(5);
  pooled.pooling = Pooling{};
  auto shorter = request(3);
  shorter.pooling = Pooling{};
  EXPECT_EQ(key_of(pooled), key_of(shorter)) << "a vector has no length";
}

TEST(Joining, PadsWithTheModelsIdAndAMaskOfZerosAndGivesEachItsOwn) {
  const auto model = encoder();
  const std::vector<Tensor> first = {integers("input_ids", {2, 2}, {1, 2, 3, 4}),
                                     integers("attention_mask", {2, 2}, {1, 1, 1, 0})};
  // In another order: tensors are found by name.
  const std::vector<Tensor> second = {integers("attention_mask", {1, 3}, {1, 1, 1}),
                                      integers("input_ids", {1, 3}, {5, 6, 8})};
  const std::vector<Member> members = {{&first, 2}, {&second, 1}};
  const auto joined = join_inputs(*model, members);
  ASSERT_EQ(joined.size(), 2U);
  EXPECT_EQ(joined[0].shape, (Shape{3, 3}));
  EXPECT_EQ(joined[0].data, integers("", {}, {1, 2, 7, 3, 4, 7, 5, 6, 8}).data);
  EXPECT_EQ(joined[1].data, integers("", {}, {1, 1, 0, 1, 0, 0, 1, 1, 1}).data);

  const std::vector<Tensor> outputs = {integers("states", {3, 3, 1}, {10, 11, 12, 20, 21, 22, 30, 31, 32})};
  const auto split = split_outputs(*model, members, outputs, 3);
  ASSERT_TRUE(split);
  EXPECT_EQ((*split)[0][0].shape, (Shape{2, 2, 1}));
  EXPECT_EQ((*split)[0][0].data, integers("", {}, {10, 11, 20, 21}).data);
  EXPECT_EQ((*split)[1][0].shape, (Shape{1, 3, 1}));
  EXPECT_EQ((*split)[1][0].data, integers("", {}, {30, 31, 32}).data);
}

TEST(Joining, AnOutputWithoutARowForEachOneIsNotTakenApart) {
  const auto model = encoder();
  const std::vector<Tensor> inputs = {integers("input_ids", {1, 1}, {1})};
  const std::vector<Member> members = {{&inputs, 1}, {&inputs, 1}};
  EXPECT_EQ(split_outputs(*model, members, {integers("states", {1, 1, 1}, {1})}, 2).error().code, Code::kInternal);
  EXPECT_EQ(split_outputs(*model, members, {integers("states", {}, {1})}, 2).error().code, Code::kInternal);
  EXPECT_TRUE(split_outputs(*model, members, {integers("states", {4, 1, 1}, {1, 2, 0, 0})}, 4)) << "fixed shapes";
}

TEST(Joining, ALargestBatchIsARunsOwn) {
  auto model = encoder();
  const auto bounded = [&](std::optional<std::uint32_t> most) {
    InferenceRequest request =
        request_of(model, {integers("input_ids", {1, 2}, {1, 2}), integers("attention_mask", {1, 2}, {1, 1})});
    request.demand.max_batch_size = most;
    schedule::Job job;
    set_joining(request, job);
    return job;
  };
  EXPECT_EQ(bounded({}).batching->max_rows, 8U);
  EXPECT_EQ(bounded(3).batching->max_rows, 3U);
  EXPECT_EQ(bounded(99).batching->max_rows, 8U);
  EXPECT_EQ(bounded(3).batch_key, bounded(3).batch_key);
  EXPECT_NE(bounded(3).batch_key, bounded(4).batch_key);
  EXPECT_NE(bounded(3).batch_key, bounded({}).batch_key);
}

}  // namespace
}  // namespace shoal::dispatch
