#include "server/dispatch/spot_check.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace shoal::dispatch {
namespace {

Tensor floats(const std::vector<float>& values) {
  std::string data;
  for (const float value : values) {
    data.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return {.name = "y",
          .datatype = DataType::kFp32,
          .shape = {static_cast<std::int64_t>(values.size())},
          .data = std::move(data)};
}

bool same(const Tensor& ours, const Tensor& theirs) {
  return !difference(std::vector{ours}, std::vector{theirs}).has_value();
}

TEST(SpotCheckTest, EveryResultOfANewcomerIsChecked) {
  SpotCheck check({.share = 0, .first = 10}, 1);
  for (int result = 0; result < 10; ++result) {
    EXPECT_TRUE(check.draws("device/0"));
  }
  EXPECT_FALSE(check.draws("device/0"));
  EXPECT_TRUE(check.draws("device/1"));
  check.forget("device/0");
  EXPECT_TRUE(check.draws("device/0"));
}

TEST(SpotCheckTest, AfterThatOneInEachRow) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SpotCheck check({.share = 0.05, .first = 0}, seed);
    std::vector<int> drawn;
    for (int result = 0; result < 2000; ++result) {
      if (check.draws("d")) {
        drawn.push_back(result);
      }
    }
    ASSERT_EQ(drawn.size(), 100U);
    for (std::size_t row = 0; row < drawn.size(); ++row) {
      EXPECT_EQ(static_cast<std::size_t>(drawn[row]) / 20, row) << "a worker that always lies is caught within 40";
    }
  }
}

TEST(SpotCheckTest, PlacesDiffer) {
  SpotCheck check({.share = 0.1, .first = 0}, 7);
  std::vector<int> count(10);
  for (int result = 0; result < 10'000; ++result) {
    count[static_cast<std::size_t>(result % 10)] += check.draws("d") ? 1 : 0;
  }
  for (const int places : count) {
    EXPECT_GT(places, 50);
  }
}

TEST(DifferenceTest, FloatsAreComparedByTheLargestMagnitude) {
  EXPECT_TRUE(same(floats({1, -2, 0.001F}), floats({1.03F, -1.97F, 0.02F})));
  EXPECT_FALSE(same(floats({1, -2, 0.001F}), floats({1.05F, -2, 0.001F})));
  EXPECT_FALSE(same(floats({0, 0}), floats({0, 0.1F})));
  EXPECT_TRUE(same(floats({}), floats({})));
}

TEST(DifferenceTest, WhatIsNotANumberIsNotPassedOver) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(same(floats({1, 2}), floats({1, nan})));
  EXPECT_FALSE(same(floats({1, 2}), floats({1, infinity})));
  EXPECT_FALSE(same(floats({1, nan}), floats({1, 2})));
  EXPECT_TRUE(same(floats({nan, infinity}), floats({nan, infinity})));
  EXPECT_FALSE(same(floats({infinity}), floats({-infinity})));
}

TEST(DifferenceTest, NamesShapesTypesAndNumbersOfOutputs) {
  Tensor other = floats({1, 2});
  other.name = "z";
  EXPECT_FALSE(same(floats({1, 2}), other));
  other = floats({1, 2});
  other.shape = {1, 2};
  EXPECT_FALSE(same(floats({1, 2}), other));
  other = floats({1, 2});
  other.datatype = DataType::kInt32;
  EXPECT_FALSE(same(floats({1, 2}), other));
  EXPECT_TRUE(difference(std::vector{floats({1})}, {}).has_value());
}

TEST(DifferenceTest, IntegersAndTextsAreExactBytesMayRound) {
  const Tensor labels{.name = "y", .datatype = DataType::kInt64, .shape = {1}, .data = std::string(8, '\1')};
  Tensor other = labels;
  other.data[0] = '\2';
  EXPECT_TRUE(same(labels, labels));
  EXPECT_FALSE(same(labels, other));
  const Tensor pixels{.name = "y", .datatype = DataType::kUint8, .shape = {2}, .data = "ab"};
  Tensor rounded = pixels;
  rounded.data = "bb";
  EXPECT_TRUE(same(pixels, rounded));
  rounded.data = "cb";
  EXPECT_FALSE(same(pixels, rounded));
}

}  // namespace
}  // namespace shoal::dispatch
