#include "engine/kernels/norm.hpp"

#include <algorithm>
#include <cmath>

namespace shoal::kernels {
namespace {

double sum_of_squares(const float* x, std::size_t count) {
  double sum = 0;
  for (std::size_t index = 0; index < count; ++index) {
    sum += static_cast<double>(x[index]) * static_cast<double>(x[index]);
  }
  return sum;
}

void layer_norm_group(const float* x, const float* weight, const float* bias, double epsilon, std::size_t width,
                      float* y) {
  double sum = 0;
  for (std::size_t index = 0; index < width; ++index) {
    sum += static_cast<double>(x[index]);
  }
  const double mean = sum / static_cast<double>(width);
  double squares = 0;
  for (std::size_t index = 0; index < width; ++index) {
    const double off = static_cast<double>(x[index]) - mean;
    squares += off * off;
  }
  const double factor = 1 / std::sqrt(squares / static_cast<double>(width) + epsilon);
  for (std::size_t index = 0; index < width; ++index) {
    const auto normal = static_cast<float>((static_cast<double>(x[index]) - mean) * factor);
    y[index] = normal * weight[index] + (bias == nullptr ? 0 : bias[index]);
  }
}

}  // namespace

void layer_norm(const Matrix& x, const float* weight, const float* bias, float epsilon, std::size_t width,
                const MutableMatrix& y) {
  for (std::size_t row = 0; row < x.rows; ++row) {
    for (std::size_t first = 0; first < x.columns; first += width) {
      layer_norm_group(x.row(row) + first, weight, bias, static_cast<double>(epsilon), width, y.row(row) + first);
    }
  }
}

void rms_norm(const Matrix& x, const float* weight, float epsilon, std::size_t width, const MutableMatrix& y) {
  for (std::size_t row = 0; row < x.rows; ++row) {
    for (std::size_t first = 0; first < x.columns; first += width) {
      const float* in = x.row(row) + first;
      float* out = y.row(row) + first;
      const double mean = sum_of_squares(in, width) / static_cast<double>(width);
      const auto factor = static_cast<float>(1 / std::sqrt(mean + static_cast<double>(epsilon)));
      for (std::size_t index = 0; index < width; ++index) {
        out[index] = in[index] * factor * weight[index];
      }
    }
  }
}

void l2_normalize(const Matrix& x, const MutableMatrix& y) {
  constexpr double kShortest = 1e-12;
  for (std::size_t row = 0; row < x.rows; ++row) {
    const double length = std::max(std::sqrt(sum_of_squares(x.row(row), x.columns)), kShortest);
    for (std::size_t index = 0; index < x.columns; ++index) {
      y.row(row)[index] = static_cast<float>(static_cast<double>(x.row(row)[index]) / length);
    }
  }
}

}  // namespace shoal::kernels
