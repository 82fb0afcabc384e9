#include "engine/kernels/elementwise.hpp"

#include "engine/kernels/four.hpp"

namespace shoal::kernels {
namespace {

constexpr float kRootTwoOverPi = 0.79788456080286536F;

Four gelu_tanh(Four x) {
  const Four inner = (x * x * x * 0.044715F + x) * kRootTwoOverPi;
  return x * 0.5F * (tanh4(inner) + 1.0F);
}

// Calls body with the function of the activation, so that the choice is made once and not for each element.
template <class Body>
void with_function(Activation activation, Body&& body) {
  switch (activation) {
    case Activation::kNone:
      return body([](Four x) { return x; });
    case Activation::kRelu:
      return body([](Four x) { return x > splat4(0) ? x : splat4(0); });
    case Activation::kGelu:
      return body([](Four x) { return x * normal_share4(x); });
    case Activation::kGeluTanh:
      return body([](Four x) { return gelu_tanh(x); });
    case Activation::kQuickGelu:
      return body([](Four x) { return x * sigmoid4(x * 1.702F); });
    case Activation::kSilu:
      return body([](Four x) { return x * sigmoid4(x); });
    case Activation::kTanh:
      return body([](Four x) { return tanh4(x); });
  }
}

}  // namespace

void activate(Activation activation, const Matrix& x, const MutableMatrix& y) {
  with_function(activation, [&](auto function) {
    for (std::size_t row = 0; row < x.rows; ++row) {
      const float* in = x.row(row);
      float* out = y.row(row);
      std::size_t column = 0;
      for (; column + kFour <= x.columns; column += kFour) {
        store4(out + column, function(load4(in + column)));
      }
      const std::size_t rest = x.columns - column;
      store_some(out + column, function(load_some(in + column, rest)), rest);
    }
  });
}

void gate(Activation activation, const Matrix& x, const MutableMatrix& y) {
  with_function(activation, [&](auto function) {
    for (std::size_t row = 0; row < x.rows; ++row) {
      const float* left = x.row(row);
      const float* right = left + y.columns;
      float* out = y.row(row);
      std::size_t column = 0;
      for (; column + kFour <= y.columns; column += kFour) {
        store4(out + column, function(load4(left + column)) * load4(right + column));
      }
      const std::size_t rest = y.columns - column;
      store_some(out + column, function(load_some(left + column, rest)) * load_some(right + column, rest), rest);
    }
  });
}

void add(const Matrix& a, const Matrix& b, const MutableMatrix& y) {
  for (std::size_t row = 0; row < a.rows; ++row) {
    for (std::size_t column = 0; column < a.columns; ++column) {
      y.row(row)[column] = a.row(row)[column] + b.row(row)[column];
    }
  }
}

void mean_of_rows(const Matrix& x, float* y) {
  const double count = static_cast<double>(x.rows);
  for (std::size_t column = 0; column < x.columns; ++column) {
    double sum = 0;
    for (std::size_t row = 0; row < x.rows; ++row) {
      sum += static_cast<double>(x.row(row)[column]);
    }
    y[column] = static_cast<float>(sum / count);
  }
}

}  // namespace shoal::kernels
