#include "server/core/echo_sums.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace shoal {
namespace {

template <class Number>
Tensor tensor(DataType datatype, const std::vector<Number>& values, const std::string& name = "x") {
  return {.name = name,
          .datatype = datatype,
          .shape = {static_cast<std::int64_t>(values.size())},
          .data = std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number))};
}

template <class Number>
std::vector<Number> values(const Tensor& tensor) {
  std::vector<Number> found(tensor.data.size() / sizeof(Number));
  std::memcpy(found.data(), tensor.data.data(), tensor.data.size());
  return found;
}

SequenceStep step(std::uint64_t number, bool is_first = false, bool is_last = false) {
  return {.id = "7", .is_first = is_first, .is_last = is_last, .number = number};
}

TEST(EchoSums, AddUpASequenceAndEndWithIt) {
  EchoSums sums;
  EXPECT_EQ(values<float>(sums.add(step(1, true), {tensor<float>(DataType::kFp32, {1, 2})})->front()),
            (std::vector<float>{1, 2}));
  EXPECT_EQ(values<float>(sums.add(step(2, true), {tensor<float>(DataType::kFp32, {10})})->front()),
            (std::vector<float>{10}));
  EXPECT_EQ(values<float>(sums.add(step(1), {tensor<float>(DataType::kFp32, {0.5, -2})})->front()),
            (std::vector<float>{1.5, 0}));
  EXPECT_EQ(sums.size(), 2U);
  EXPECT_EQ(values<float>(sums.add(step(1, false, true), {tensor<float>(DataType::kFp32, {1, 1})})->front()),
            (std::vector<float>{2.5, 1}));
  EXPECT_EQ(sums.size(), 1U);
  EXPECT_EQ(sums.add(step(1), {tensor<float>(DataType::kFp32, {1, 1})}).error().code, Code::kUnavailable);
}

TEST(EchoSums, IntegersWrapAround) {
  EchoSums sums;
  ASSERT_TRUE(sums.add(
      step(1, true), {tensor<std::int8_t>(DataType::kInt8, {127}), tensor<std::int64_t>(DataType::kInt64, {-5}, "y")}));
  const auto sum =
      sums.add(step(1), {tensor<std::int8_t>(DataType::kInt8, {1}), tensor<std::int64_t>(DataType::kInt64, {3}, "y")});
  EXPECT_EQ(values<std::int8_t>(sum->at(0)), (std::vector<std::int8_t>{-128}));
  EXPECT_EQ(values<std::int64_t>(sum->at(1)), (std::vector<std::int64_t>{-2}));
}

TEST(EchoSums, AnotherShapeIsRefusedAndChangesNothing) {
  EchoSums sums;
  ASSERT_TRUE(sums.add(step(1, true), {tensor<float>(DataType::kFp32, {1, 2})}));
  EXPECT_EQ(sums.add(step(1), {tensor<float>(DataType::kFp32, {1})}).error().param, "x");
  EXPECT_EQ(sums.add(step(1), {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(values<float>(sums.add(step(1), {tensor<float>(DataType::kFp32, {1, 1})})->front()),
            (std::vector<float>{2, 3}));
}

TEST(EchoSums, WhoWasUsedLeastRecentlyIsForgotten) {
  EchoSums sums;
  for (std::uint64_t number = 1; number <= EchoSums::kMaxSequences; ++number) {
    ASSERT_TRUE(sums.add(step(number, true), {tensor<float>(DataType::kFp32, {1})}));
  }
  EXPECT_TRUE(sums.add(step(1), {tensor<float>(DataType::kFp32, {1})}));
  EXPECT_TRUE(sums.add(step(EchoSums::kMaxSequences + 1, true), {tensor<float>(DataType::kFp32, {1})}));
  EXPECT_EQ(sums.size(), EchoSums::kMaxSequences);
  EXPECT_TRUE(sums.add(step(1), {tensor<float>(DataType::kFp32, {1})}));
  EXPECT_FALSE(sums.add(step(2), {tensor<float>(DataType::kFp32, {1})}));
}

TEST(EchoSums, BytesAreBounded) {
  EchoSums sums;
  Tensor half{.name = "x", .datatype = DataType::kFp32, .shape = {EchoSums::kMaxBytes / 8}, .data = {}};
  half.data.resize(EchoSums::kMaxBytes / 2);
  for (std::uint64_t number = 1; number <= 3; ++number) {
    EXPECT_TRUE(sums.add(step(number, true), {half}));
  }
  EXPECT_EQ(sums.size(), 2U);
  EXPECT_EQ(sums.add(step(4, true), {half, half, half}).error().code, Code::kResourceLimit);
  EXPECT_EQ(sums.size(), 2U);
}

TEST(EchoSums, OnlyOfNumbers) {
  EXPECT_TRUE(has_sums(DataType::kUint16));
  for (const DataType datatype : {DataType::kBytes, DataType::kBool, DataType::kFp16}) {
    EXPECT_FALSE(has_sums(datatype));
  }
}

}  // namespace
}  // namespace shoal
