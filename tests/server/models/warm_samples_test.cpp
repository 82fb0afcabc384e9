#include "server/models/warm_samples.hpp"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "inference/model_config.pb.h"
#include "tests/server/models/models_for_test.hpp"

namespace shoal::models {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

class WarmSamplesTest : public testing::Test {
 protected:
  WarmSamplesTest() {
    model_.name = "m";
    model_.inputs = {{"x", DataType::kFp32, {-1, 4}, {"batch", ""}, true},
                     {"ids", DataType::kInt64, {-1, -1}, {"batch", "length"}, true}};
    model_.max_batch_size = 8;
  }
  // A sample of both inputs; `x` and `ids` are the bodies of their entries.
  static std::string sample(const std::string& x, const std::string& ids, const std::string& more = "batch_size: 2") {
    return "model_warmup { name: 'first' " + more + " inputs { key: 'x' value { " + x +
           " } } inputs { key: 'ids' value { " + ids + " } } }";
  }
  Result<std::shared_ptr<const WarmSamples>> read(const std::string& text) {
    inference::ModelConfig config;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
    return read_warm_samples(folder_.path(), config, model_);
  }
  std::string error(const std::string& text) {
    const auto samples = read(text);
    EXPECT_TRUE(samples || samples.error().code == Code::kInvalidArgument);
    return samples ? std::string("accepted") : samples.error().message;
  }

  static constexpr const char* kX = "data_type: TYPE_FP32 dims: 4 zero_data: true";
  static constexpr const char* kIds = "data_type: TYPE_INT64 dims: 3 random_data: true";
  TempFolder folder_;
  ModelVersion model_;
};

TEST_F(WarmSamplesTest, ARowIsRepeatedForTheBatch) {
  folder_.write("warmup/ids.bin", std::string("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 16));
  const auto warm =
      read(sample(kX, "data_type: TYPE_INT64 dims: 2 input_data_file: 'ids.bin'", "batch_size: 2 count: 3"));
  ASSERT_TRUE(warm) << warm.error().message;
  ASSERT_EQ((*warm)->samples.size(), 1U);
  const WarmSample& first = (*warm)->samples[0];
  EXPECT_EQ(first.name, "first");
  EXPECT_EQ(first.runs, 3U);
  ASSERT_EQ(first.inputs.size(), 2U);
  EXPECT_EQ(first.inputs[0].name, "ids");
  EXPECT_THAT(first.inputs[0].shape, ElementsAre(2, 2));
  EXPECT_EQ(first.inputs[0].data.substr(0, 16), first.inputs[0].data.substr(16));
  EXPECT_THAT(first.inputs[1].shape, ElementsAre(2, 4));
  EXPECT_EQ(first.inputs[1].data, std::string(32, '\0'));
}

TEST_F(WarmSamplesTest, RandomNumbersAreSmallAndTheSameEachTime) {
  const std::string text = sample("data_type: TYPE_FP32 dims: 4 random_data: true", kIds);
  const auto warm = read(text);
  ASSERT_TRUE(warm) << warm.error().message;
  const Tensor& ids = (*warm)->samples[0].inputs[0];
  std::vector<std::int64_t> numbers(6);
  std::memcpy(numbers.data(), ids.data.data(), ids.data.size());
  EXPECT_THAT(numbers, Each(testing::AnyOf(0, 1)));
  const Tensor& x = (*warm)->samples[0].inputs[1];
  std::vector<float> fractions(8);
  std::memcpy(fractions.data(), x.data.data(), x.data.size());
  EXPECT_THAT(fractions, Each(testing::AllOf(testing::Ge(0.0F), testing::Lt(1.0F))));
  EXPECT_GT(fractions[0] + fractions[1] + fractions[2] + fractions[3], 0.0F);
  EXPECT_EQ((*read(text))->digest, (*warm)->digest);
  EXPECT_NE((*read(sample(kX, kIds)))->digest, (*warm)->digest);
}

TEST_F(WarmSamplesTest, WithoutSamplesThereIsNothing) {
  EXPECT_EQ(*read(""), nullptr);
  EXPECT_EQ(*read(sample("", "", "batch_size: 0")), nullptr) << "as in Triton";
}

TEST_F(WarmSamplesTest, WhatIsWrongIsNamedWithItsSampleAndField) {
  folder_.write("warmup/short.bin", "1234567");
  const std::string ids = "data_type: TYPE_INT64 dims: 2 ";
  const std::pair<std::string, const char*> cases[] = {
      {sample(kX, kIds, "batch_size: 9"), "model_warmup[0] 'first': batch_size is 9, it must be 1 to 8"},
      {sample(kX, kIds, "batch_size: 1 count: 2000"), "model_warmup[0] 'first': count is 2000, the limit is 1000"},
      {sample("data_type: TYPE_FP64 dims: 4 zero_data: true", kIds), "inputs: inference input 'x' data-type is 'FP64'"},
      {sample("dims: 4 zero_data: true", kIds), "inputs['x']: data_type is missing"},
      {sample("data_type: TYPE_FP32 dims: 5 zero_data: true", kIds), "unexpected shape for input 'x'"},
      {sample("data_type: TYPE_FP32 dims: -1 zero_data: true", kIds), "inputs['x']: dims"},
      {sample("data_type: TYPE_FP32 dims: 4", kIds), "inputs['x']: one of zero_data, random_data and input_data_file"},
      {sample(kX, ids + "input_data_file: 'none.bin'"), "inputs['ids']: input_data_file: "},
      {sample(kX, ids + "input_data_file: '../m.onnx'"), "input_data_file '../m.onnx' is not a plain file name"},
      {sample(kX, ids + "input_data_file: 'short.bin'"),
       "input_data_file 'short.bin' has 7 bytes, a row of INT64 [2] has 16"},
      {sample(kX, "data_type: TYPE_INT64 dims: 1099511627776 zero_data: true"), "inputs['ids']: dims"},
      {"model_warmup { name: 'a' batch_size: 1 inputs { key: 'y' value { data_type: TYPE_FP32 dims: 1 zero_data: true "
       "} } }",
       "inputs['y']: the model has no input of this name; it has x, ids"},
      {"model_warmup { name: 'a' batch_size: 1 inputs { key: 'x' value { " + std::string(kX) + " } } }",
       "inputs: expected 2 inputs but got 1"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(error(text), HasSubstr(message)) << text;
  }
  std::string many;
  for (std::size_t at = 0; at <= kMaxWarmSamples; ++at) {
    many += sample(kX, kIds);
  }
  EXPECT_THAT(error(many), HasSubstr("65 samples, the limit is 64"));
}

TEST_F(WarmSamplesTest, WithoutABatchDimensionShapesAreAsTheyAre) {
  model_.max_batch_size = 0;
  model_.inputs = {{"words", DataType::kBytes, {-1}, {"n"}, true}};
  const auto text = [](const std::string& more) {
    return "model_warmup { name: 'w' " + more +
           " inputs { key: 'words' value { data_type: TYPE_STRING dims: 2 zero_data: true } } }";
  };
  const auto warm = read(text("batch_size: 1"));
  ASSERT_TRUE(warm) << warm.error().message;
  EXPECT_THAT((*warm)->samples[0].inputs[0].shape, ElementsAre(2));
  EXPECT_EQ((*warm)->samples[0].inputs[0].data, std::string(8, '\0')) << "two empty strings";
  EXPECT_THAT(error(text("batch_size: 2")), HasSubstr("batch_size is 2, it must be 1 to 1"));
}

}  // namespace
}  // namespace shoal::models
