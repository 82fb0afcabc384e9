#include "server/api/kserve/classification.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "server/core/tensor.hpp"

namespace shoal::api::kserve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Texts = std::vector<std::string>;

template <class T>
Tensor tensor(DataType type, Shape shape, std::vector<T> values) {
  return {.name = "y",
          .datatype = type,
          .shape = std::move(shape),
          .data = std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T))};
}

Tensor floats(Shape shape, std::vector<float> values) {
  return tensor(DataType::kFp32, std::move(shape), std::move(values));
}

models::ModelVersion model_of(std::int64_t max_batch_size, Texts labels = {}) {
  models::ModelVersion model;
  model.max_batch_size = max_batch_size;
  if (!labels.empty()) {
    model.labels.emplace("y", std::move(labels));
  }
  return model;
}

Texts texts_of(const Tensor& bytes) {
  EXPECT_EQ(bytes.datatype, DataType::kBytes);
  Texts texts;
  for (std::size_t at = 0; at < bytes.data.size();) {
    std::uint32_t size = 0;
    std::memcpy(&size, bytes.data.data() + at, sizeof(size));
    texts.push_back(bytes.data.substr(at + sizeof(size), size));
    at += sizeof(size) + size;
  }
  return texts;
}

Texts top(std::int64_t wanted, Tensor output, const models::ModelVersion& model = model_of(0)) {
  const Status status = classify(model, {{"y", wanted}}, {&output, 1});
  EXPECT_TRUE(status) << status.error().message;
  return texts_of(output);
}

TEST(Classification, TheLargestFirstAndEqualOnesByIndex) {
  EXPECT_THAT(top(3, floats({5}, {0.25F, 1, -2, 1, 0.5F})), ElementsAre("1.000000:1", "1.000000:3", "0.500000:4"));
  EXPECT_THAT(top(9, floats({2}, {1, 2})), ElementsAre("2.000000:1", "1.000000:0"));
  EXPECT_THAT(top(2, floats({}, {7})), ElementsAre("7.000000:0"));
}

TEST(Classification, WhatIsNoNumberComesLast) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(top(5, floats({5}, {std::nanf(""), -infinity, 0, infinity, std::nanf("")})),
              ElementsAre("inf:3", "0.000000:2", "-inf:1", "nan:0", "nan:4"));
}

TEST(Classification, LabelsWhereThereAreSome) {
  const auto model = model_of(0, {"cat", "", "a fish: red"});
  EXPECT_THAT(top(4, floats({4}, {1, 2, 3, 4}), model),
              ElementsAre("4.000000:3", "3.000000:2:a fish: red", "2.000000:1:", "1.000000:0:cat"));
}

TEST(Classification, EachRowOfABatchByItself) {
  Tensor output = floats({2, 1, 3}, {1, 2, 3, 6, 5, 4});
  ASSERT_TRUE(classify(model_of(8), {{"y", 2}}, {&output, 1}));
  EXPECT_THAT(output.shape, ElementsAre(2, 2));
  EXPECT_THAT(texts_of(output), ElementsAre("3.000000:2", "2.000000:1", "6.000000:0", "5.000000:1"));
  output = floats({2, 3}, {1, 2, 3, 6, 5, 4});
  ASSERT_TRUE(classify(model_of(0), {{"y", 2}}, {&output, 1}));
  EXPECT_THAT(output.shape, ElementsAre(2));
  EXPECT_THAT(texts_of(output), ElementsAre("6.000000:3", "5.000000:4"));
}

TEST(Classification, NothingHasNoClasses) {
  for (const Shape& shape : {Shape{0}, Shape{3, 0}}) {
    Tensor output = floats(shape, {});
    ASSERT_TRUE(classify(model_of(0), {{"y", 2}}, {&output, 1}));
    EXPECT_THAT(output.shape, ElementsAre(0));
    EXPECT_TRUE(texts_of(output).empty());
  }
  Tensor output = floats({0, 4}, {});
  ASSERT_TRUE(classify(model_of(8), {{"y", 2}}, {&output, 1}));
  EXPECT_THAT(output.shape, ElementsAre(0, 2));
}

TEST(Classification, EveryKindOfNumber) {
  EXPECT_THAT(top(1, tensor<std::int8_t>(DataType::kInt8, {2}, {-128, -1})), ElementsAre("-1:1"));
  EXPECT_THAT(top(1, tensor<std::uint8_t>(DataType::kUint8, {2}, {255, 1})), ElementsAre("255:0"));
  EXPECT_THAT(top(1, tensor<std::int64_t>(DataType::kInt64, {2}, {(1LL << 53) + 1, 1LL << 53})),
              ElementsAre("9007199254740993:0"));
  EXPECT_THAT(top(1, tensor<std::uint64_t>(DataType::kUint64, {2}, {~0ULL, 1})), ElementsAre("18446744073709551615:0"));
  EXPECT_THAT(top(2, tensor<double>(DataType::kFp64, {2}, {-0.125, 1e16})),
              ElementsAre("10000000000000000.000000:1", "-0.125000:0"));
  EXPECT_THAT(top(2, tensor<std::uint16_t>(DataType::kFp16, {2}, {0xC000, 0x3C00})),
              ElementsAre("1.000000:1", "-2.000000:0"));
  EXPECT_THAT(top(2, tensor<std::uint16_t>(DataType::kBf16, {2}, {0xC000, 0x3F80})),
              ElementsAre("1.000000:1", "-2.000000:0"));
}

TEST(Classification, OnlyTheOutputsThatAreNamed) {
  std::vector<Tensor> outputs = {floats({2}, {1, 2}), floats({2}, {1, 2})};
  outputs[0].name = "x";
  const std::string before = outputs[0].data;
  ASSERT_TRUE(classify(model_of(0), {{"y", 1}}, outputs));
  EXPECT_EQ(outputs[0].data, before);
  EXPECT_THAT(texts_of(outputs[1]), ElementsAre("2.000000:1"));
}

TEST(Classification, RefusesWhatHasNoOrder) {
  models::ModelVersion model;
  model.outputs = {{.name = "text", .datatype = DataType::kBytes, .dims = {-1}, .dim_names = {""}},
                   {.name = "flags", .datatype = DataType::kBool, .dims = {-1}, .dim_names = {""}},
                   {.name = "y", .datatype = DataType::kFp32, .dims = {-1}, .dim_names = {""}}};
  EXPECT_TRUE(check_classes(model, {{"y", 1}}));
  for (const char* name : {"text", "flags"}) {
    const Status refused = check_classes(model, {{name, 1}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr(name));
  }
}

TEST(Classification, TheCountIsAnIntegerAboveZero) {
  Classes classes;
  EXPECT_TRUE(add_classes("y", std::int64_t{3}, classes));
  EXPECT_EQ(classes, (Classes{{"y", 3}}));
  for (const wire::Parameter& bad :
       {wire::Parameter(std::int64_t{0}), wire::Parameter(std::int64_t{-1}), wire::Parameter(1.5),
        wire::Parameter(true), wire::Parameter(std::string("3")), wire::Parameter(~std::uint64_t{0})}) {
    const Status refused = add_classes("y", bad, classes);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_EQ(refused.error().param, "classification");
  }
}

TEST(Classification, BytesThatAreNotTheShapesAreAnError) {
  Tensor output = floats({3}, {1, 2});
  EXPECT_EQ(classify(model_of(0), {{"y", 1}}, {&output, 1}).error().code, Code::kInternal);
}

TEST(Classification, MoreTextThanTheBoundIsAnError) {
  // Each is 309 digits long, so this is more than 64 MiB of text from 2 MiB of numbers.
  Tensor output = tensor(DataType::kFp64, {1 << 18}, std::vector<double>(1 << 18, 1e308));
  EXPECT_EQ(classify(model_of(0), {{"y", 1 << 18}}, {&output, 1}).error().code, Code::kResourceLimit);
}

}  // namespace
}  // namespace shoal::api::kserve
