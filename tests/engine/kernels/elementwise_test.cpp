#include "engine/kernels/elementwise.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace shoal::kernels {
namespace {

double by_definition(Activation activation, double x) {
  const auto sigmoid = [](double at) { return 1 / (1 + std::exp(-at)); };
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kGelu:
      return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x * sigmoid(1.702 * x);
    case Activation::kSilu:
      return x * sigmoid(x);
    case Activation::kTanh:
      return std::tanh(x);
  }
  return NAN;
}

TEST(Activate, EveryFunctionIsWhatItsDefinitionSays) {
  std::vector<float> x;
  for (int step = -3000; step <= 3000; ++step) {
    x.push_back(static_cast<float>(step) * 0.01F);
  }
  for (std::size_t index = 0; index < kActivationCount; ++index) {
    const auto activation = static_cast<Activation>(index);
    std::vector<float> y = x;
    activate(activation, {y.data(), 1, y.size(), y.size()}, {y.data(), 1, y.size(), y.size()});
    for (std::size_t at = 0; at < x.size(); ++at) {
      const double expected = by_definition(activation, double{x[at]});
      ASSERT_NEAR(double{y[at]}, expected, 1e-6 + 4e-7 * std::abs(expected))
          << kActivationNames[index] << "(" << x[at] << ")";
    }
  }
}

TEST(Gate, MultipliesTheActivatedLeftHalfByTheRight) {
  const std::vector<float> x = {-1, 2, 10, 20, 3, -4, 30, 40};
  std::vector<float> y(4);
  gate(Activation::kRelu, {x.data(), 2, 4, 4}, {y.data(), 2, 2, 2});
  EXPECT_EQ(y, (std::vector<float>{0, 40, 90, 0}));
}

TEST(Add, ReadsStridesAndMayWriteOverAnOperand) {
  std::vector<float> a = {1, 2, 9, 3, 4, 9};
  const std::vector<float> b = {10, 20, 30, 40};
  add({a.data(), 2, 2, 3}, {b.data(), 2, 2, 2}, {a.data(), 2, 2, 3});
  EXPECT_EQ(a, (std::vector<float>{11, 22, 9, 33, 44, 9}));
}

TEST(MeanOfRows, IsTheMeanOfEachColumn) {
  const std::vector<float> x = {1, 2, 3, 5, 5, 5};
  std::vector<float> y(2);
  mean_of_rows({x.data(), 3, 2, 2}, y.data());
  EXPECT_EQ(y, (std::vector<float>{3, 4}));
}

}  // namespace
}  // namespace shoal::kernels
