// Activations as int8, made once and shared by every linear layer that reads them. A row is cut into runs of 32
// elements; run r is scale[r] * code, |code| <= 127, rounded to nearest. The bytes are the same on every tier.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shoal::kernels {

inline constexpr std::size_t kRun = 32;

constexpr std::size_t run_count(std::size_t k) { return (k + kRun - 1) / kRun; }

// Rows lie in tiles of 16 (the last one may have fewer), within a tile run by run: so that many rows are read on in
// memory whatever k is.
inline constexpr std::size_t kRowTile = 16;

// A place in memory for `rows` rows of k elements; it owns nothing. What belongs to run r of a row is at place(row, r)
// of each array; rows of a tile are beside each other.
struct Int8Rows {
  std::size_t rows = 0;
  std::size_t k = 0;
  std::int8_t* codes = nullptr;  // [place, 32], zero past k
  float* scales = nullptr;       // [place]
  float* sums = nullptr;         // [place]: the sum of the 32 codes, a whole number
  float* half_sums = nullptr;    // [place, 2]: the sums of 16 codes each

  [[nodiscard]] std::size_t place(std::size_t row, std::size_t run) const {
    const std::size_t first = row / kRowTile * kRowTile;
    const std::size_t in_tile = rows - first < kRowTile ? rows - first : kRowTile;
    return first * run_count(k) + run * in_tile + (row - first);
  }
};

std::size_t int8_rows_bytes(std::size_t rows, std::size_t k);

// `memory` has int8_rows_bytes(rows, k) bytes and is 16-byte aligned.
Int8Rows int8_rows_at(std::byte* memory, std::size_t rows, std::size_t k);

// Fills rows [begin, end) of `out` from x, whose row r starts at x + r * stride. A run with a value that is not finite
// becomes NaN as a whole.
void quantize_rows(const float* x, std::size_t stride, const Int8Rows& out, std::size_t begin, std::size_t end);

}  // namespace shoal::kernels
