#include "engine/kernels/norm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace shoal::kernels {
namespace {

TEST(Norm, LayerNormOverGroupsInPlace) {
  std::vector<float> x = {1, 3, 5, 5, -2, 2, 0, 8};  // 2 rows of 2 groups of 2
  const std::vector<float> weight = {2, 3};
  const std::vector<float> bias = {10, 20};
  const Matrix in{x.data(), 2, 4, 4};
  layer_norm(in, weight.data(), bias.data(), 0, 2, {x.data(), 2, 4, 4});
  EXPECT_FLOAT_EQ(x[0], 8);
  EXPECT_FLOAT_EQ(x[1], 23);
  EXPECT_TRUE(std::isnan(x[2]));  // no spread and no epsilon
  EXPECT_FLOAT_EQ(x[4], 8);
  EXPECT_FLOAT_EQ(x[7], 23);
}

TEST(Norm, EpsilonKeepsAConstantRowFinite) {
  const std::vector<float> x = {5, 5};
  const std::vector<float> weight = {1, 1};
  std::vector<float> y(2);
  layer_norm({x.data(), 1, 2, 2}, weight.data(), nullptr, 1e-12F, 2, {y.data(), 1, 2, 2});
  EXPECT_EQ(y, (std::vector<float>{0, 0}));
}

TEST(Norm, RmsNormDividesByTheRootOfTheMeanSquare) {
  const std::vector<float> x = {3, 4, 0, 0, 6, 8};
  const std::vector<float> weight = {1, 2};
  std::vector<float> y(6);
  rms_norm({x.data(), 3, 2, 2}, weight.data(), 0.5F, 2, {y.data(), 3, 2, 2});
  EXPECT_FLOAT_EQ(y[0], 3 / std::sqrt(13.0F));
  EXPECT_FLOAT_EQ(y[1], 8 / std::sqrt(13.0F));
  EXPECT_EQ(y[2], 0);
  EXPECT_FLOAT_EQ(y[5], 16 / std::sqrt(50.5F));
}

TEST(Norm, L2NormalizeMakesUnitRowsAndKeepsZero) {
  const std::vector<float> x = {3, 4, 9, 0, 0, 9, 1e-30F, 0, 9};  // rows of 2 with a stride of 3
  std::vector<float> y(6);
  l2_normalize({x.data(), 3, 2, 3}, {y.data(), 3, 2, 2});
  EXPECT_EQ(y, (std::vector<float>{0.6F, 0.8F, 0, 0, 1e-18F, 0}));
}

}  // namespace
}  // namespace shoal::kernels
