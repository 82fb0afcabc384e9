// Row-major floats in somebody else's memory. Row r begins at data + r * stride; stride >= columns.
#pragma once

#include <cstddef>

namespace shoal::kernels {

struct Matrix {
  const float* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;

  [[nodiscard]] const float* row(std::size_t index) const { return data + index * stride; }
};

struct MutableMatrix {
  float* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;

  [[nodiscard]] float* row(std::size_t index) const { return data + index * stride; }
  [[nodiscard]] MutableMatrix range(std::size_t begin, std::size_t end) const {
    return {data + begin * stride, end - begin, columns, stride};
  }
};

inline Matrix range(const Matrix& all, std::size_t begin, std::size_t end) {
  return {all.data + begin * all.stride, end - begin, all.columns, all.stride};
}

}  // namespace shoal::kernels
