#include "engine/kernels/rope.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace shoal::kernels {
namespace {

TEST(Rope, AnglesArePositionTimesFrequency) {
  const std::vector<std::int32_t> positions = {0, 7};
  const std::vector<float> frequencies = {1, 0.25F};
  std::vector<float> y(8);
  rope_angles(positions.data(), frequencies.data(), 2, {y.data(), 2, 4, 4});
  EXPECT_EQ(std::vector<float>(y.begin(), y.begin() + 4), (std::vector<float>{1, 1, 0, 0}));
  EXPECT_FLOAT_EQ(y[4], std::cos(7.0F));
  EXPECT_FLOAT_EQ(y[5], std::cos(1.75F));
  EXPECT_FLOAT_EQ(y[7], std::sin(1.75F));
}

TEST(Rope, TurnsPairsOfEachHeadAndCopiesTheRest) {
  // 2 heads of 5 columns, of which 4 turn: by 90 degrees the pair (0, 2), by 180 the pair (1, 3).
  const std::vector<float> angles = {0, -1, 1, 0};
  std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  rope({x.data(), 1, 10, 10}, {angles.data(), 1, 4, 4}, 5, {x.data(), 1, 10, 10});
  EXPECT_EQ(x, (std::vector<float>{-3, -2, 1, -4, 5, -8, -7, 6, -9, 10}));
}

}  // namespace
}  // namespace shoal::kernels
