#include "engine/kernels/rope.hpp"

#include <cmath>

namespace shoal::kernels {

void rope_angles(const std::int32_t* positions, const float* frequencies, std::size_t frequency_count,
                 const MutableMatrix& y) {
  for (std::size_t row = 0; row < y.rows; ++row) {
    const auto position = static_cast<float>(positions[row]);
    for (std::size_t index = 0; index < frequency_count; ++index) {
      const float angle = position * frequencies[index];
      y.row(row)[index] = std::cos(angle);
      y.row(row)[frequency_count + index] = std::sin(angle);
    }
  }
}

void rope(const Matrix& x, const Matrix& angles, std::size_t head_dim, const MutableMatrix& y) {
  const std::size_t half = angles.columns / 2;
  for (std::size_t row = 0; row < x.rows; ++row) {
    const float* cosines = angles.row(row);
    const float* sines = cosines + half;
    for (std::size_t head = 0; head < x.columns; head += head_dim) {
      const float* in = x.row(row) + head;
      float* out = y.row(row) + head;
      for (std::size_t index = 0; index < half; ++index) {
        const float left = in[index];
        const float right = in[index + half];
        out[index] = left * cosines[index] - right * sines[index];
        out[index + half] = right * cosines[index] + left * sines[index];
      }
      for (std::size_t index = 2 * half; index < head_dim; ++index) {
        out[index] = in[index];
      }
    }
  }
}

}  // namespace shoal::kernels
