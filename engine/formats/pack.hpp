// Codes and elements in and out of the layout of block_format.hpp, one row at a time. Nothing here chooses a scale:
// that is engine/quantize. Rows are independent, so that threads may work on different tiles at once.
#pragma once

#include <cstdint>
#include <span>

#include "engine/formats/block_format.hpp"

namespace shoal::formats {

// One matrix being written. `data` is layout_of().bytes long, 4-byte aligned and zero to begin with.
struct MatrixWriter {
  BlockFormat format;
  BlockLayout layout;
  std::byte* data = nullptr;
};

// Zeroes `data`; kInvalidArgument as matrix_view.
Result<MatrixWriter> matrix_writer(const BlockFormat& format, std::uint64_t n, std::uint64_t k,
                                   std::span<std::byte> data);

// f32 and f16 only: stores k values, f16 rounded to nearest. kInvalidArgument for a value that f16 cannot hold.
Status write_row(const MatrixWriter& matrix, std::uint64_t row, std::span<const float> values);

// Quantised formats: the k codes of a row (each below 2^bits), and its scale entries.
void write_codes(const MatrixWriter& matrix, std::uint64_t row, std::span<const std::uint8_t> codes);
void write_entry(const MatrixWriter& matrix, std::uint64_t row, std::uint64_t block, std::uint16_t low,
                 std::uint16_t high = 0);
void write_row_scale(const MatrixWriter& matrix, std::uint64_t row, std::uint16_t half);

// The codes of elements first .. first + codes.size() of a row. Requires: a quantised format, row < n, within k.
void read_codes(const BlockMatrix& matrix, std::uint64_t row, std::uint64_t first, std::span<std::uint8_t> codes);

// What a block's codes mean: w = scale * (code - zero), or scale * code + min where has_min.
struct BlockScale {
  float scale = 0;
  float zero = 0;
  float min = 0;
  bool has_min = false;

  [[nodiscard]] float value(std::uint32_t code) const {
    const auto number = static_cast<float>(code);
    return has_min ? scale * number + min : scale * (number - zero);
  }
};
BlockScale read_scale(const BlockMatrix& matrix, std::uint64_t row, std::uint64_t block);

// The two factors of an s8z8 scale: the u8 of the block, and row_scale / 256. Their product is exact.
float read_scale_index(const BlockMatrix& matrix, std::uint64_t row, std::uint64_t block);
float read_row_scale(const BlockMatrix& matrix, std::uint64_t row);

// Values first .. first + values.size() of a row. Requires: f32 or f16, row < n, within k.
void read_values(const BlockMatrix& matrix, std::uint64_t row, std::uint64_t first, std::span<float> values);

// The k values of a row of any format: an embedding lookup. Requires: row < n, values.size() == k.
void dequantize_row(const BlockMatrix& matrix, std::uint64_t row, std::span<float> values);

}  // namespace shoal::formats
