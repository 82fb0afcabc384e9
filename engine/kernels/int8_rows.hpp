// Activations as int8, made once and shared by every linear layer that reads them. A row is cut into runs of 32
// elements; run r is scale[r] * code, |code| <= 127, rounded to nearest. The bytes are the same on every tier.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shoal::kernels {

inline constexpr std::size_t kRun = 32;

constexpr std::size_t run_count(std::size_t k) { return (k + kRun - 1) / kRun; }

// A place in memory for `rows` rows of k elements; it owns nothing.
struct Int8Rows {
  std::size_t rows = 0;
  std::size_t k = 0;
  std::int8_t* codes = nullptr;  // [rows, 32 * run_count(k)], zero past k
  float* scales = nullptr;       // [rows, run_count(k)]
  float* sums = nullptr;         // [rows, 2 * run_count(k)]: sums of 16 codes, whole numbers
};

std::size_t int8_rows_bytes(std::size_t rows, std::size_t k);

// `memory` has int8_rows_bytes(rows, k) bytes and is 16-byte aligned.
Int8Rows int8_rows_at(std::byte* memory, std::size_t rows, std::size_t k);

// Fills rows [begin, end) of `out` from x, whose row r starts at x + r * stride. A run with a value that is not finite
// becomes NaN as a whole.
void quantize_rows(const float* x, std::size_t stride, const Int8Rows& out, std::size_t begin, std::size_t end);

}  // namespace shoal::kernels
