#include "engine/kernels/elementwise.hpp"

#include <cmath>

namespace shoal::kernels {
namespace {

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

float gelu(float x) {
  constexpr float kRootHalf = 0.70710678118654752F;
  return 0.5F * x * (1 + std::erf(x * kRootHalf));
}

float gelu_tanh(float x) {
  constexpr float kRootTwoOverPi = 0.79788456080286536F;
  return 0.5F * x * (1 + std::tanh(kRootTwoOverPi * (x + 0.044715F * x * x * x)));
}

// Calls body with the function of the activation, so that the choice is made once and not for each element.
template <class Body>
void with_function(Activation activation, Body&& body) {
  switch (activation) {
    case Activation::kNone:
      return body([](float x) { return x; });
    case Activation::kRelu:
      return body([](float x) { return x > 0 ? x : 0.0F; });
    case Activation::kGelu:
      return body([](float x) { return gelu(x); });
    case Activation::kGeluTanh:
      return body([](float x) { return gelu_tanh(x); });
    case Activation::kQuickGelu:
      return body([](float x) { return x * sigmoid(1.702F * x); });
    case Activation::kSilu:
      return body([](float x) { return x * sigmoid(x); });
    case Activation::kTanh:
      return body([](float x) { return std::tanh(x); });
  }
}

}  // namespace

void activate(Activation activation, const Matrix& x, const MutableMatrix& y) {
  with_function(activation, [&](auto function) {
    for (std::size_t row = 0; row < x.rows; ++row) {
      for (std::size_t column = 0; column < x.columns; ++column) {
        y.row(row)[column] = function(x.row(row)[column]);
      }
    }
  });
}

void gate(Activation activation, const Matrix& x, const MutableMatrix& y) {
  with_function(activation, [&](auto function) {
    for (std::size_t row = 0; row < x.rows; ++row) {
      const float* left = x.row(row);
      const float* right = left + y.columns;
      for (std::size_t column = 0; column < y.columns; ++column) {
        y.row(row)[column] = function(left[column]) * right[column];
      }
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
