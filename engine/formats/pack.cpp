#include "engine/formats/pack.hpp"

#include <cstring>

#include "engine/core/f16.hpp"
#include "engine/formats/half.hpp"

namespace shoal::formats {
namespace {

// Where one bit field of a code lies inside the words of its row.
struct Place {
  std::uint64_t column;
  std::uint32_t shift;
};

Place low_place(Codes codes, std::uint64_t element) {
  const auto byte = static_cast<std::uint32_t>(element % 4);
  if (codes == Codes::kQ8) {
    return {element / 4, byte * 8};
  }
  if (codes == Codes::kQ4) {
    return {element / 8, byte * 8 + static_cast<std::uint32_t>(element / 4 % 2) * 4};
  }
  const std::uint32_t shift = byte * 8 + static_cast<std::uint32_t>(element / 4 % 4) * 2;
  if (codes == Codes::kQ2) {
    return {element / 16, shift};
  }
  return {element / 32 * 3 + element / 16 % 2, shift};
}

Place high_place(std::uint64_t element) {
  const auto group = static_cast<std::uint32_t>(element / 16 % 2);
  const auto field = static_cast<std::uint32_t>(element / 4 % 4);
  const std::uint32_t bit = 4 * (field >> 1) + 2 * group + (field & 1);
  return {element / 32 * 3 + 2, static_cast<std::uint32_t>(element % 4) * 8 + bit};
}

std::uint64_t word_offset(const BlockLayout& layout, std::uint64_t row, std::uint64_t column) {
  return ((row / kTileRows * layout.columns + column) * kTileRows + row % kTileRows) * 4;
}

std::uint32_t load_word(const std::byte* data, std::uint64_t offset) {
  std::uint32_t word = 0;
  std::memcpy(&word, data + offset, 4);
  return word;
}

void or_word(const MatrixWriter& matrix, std::uint64_t row, Place place, std::uint32_t bits) {
  std::byte* at = matrix.data + word_offset(matrix.layout, row, place.column);
  const std::uint32_t word = load_word(at, 0) | (bits << place.shift);
  std::memcpy(at, &word, 4);
}

std::uint64_t entry_offset(const BlockFormat& format, const BlockLayout& layout, std::uint64_t row,
                           std::uint64_t block) {
  return layout.scales_offset +
         ((row / kTileRows * layout.blocks + block) * kTileRows + row % kTileRows) * entry_bytes(format);
}

std::uint16_t load_half(const std::byte* at) {
  std::uint16_t half = 0;
  std::memcpy(&half, at, 2);
  return half;
}

}  // namespace

Result<MatrixWriter> matrix_writer(const BlockFormat& format, std::uint64_t n, std::uint64_t k,
                                   std::span<std::byte> data) {
  const auto view = matrix_view(format, n, k, data);
  if (!view) {
    return fail(view.error());
  }
  std::memset(data.data(), 0, data.size());
  return MatrixWriter{format, view->layout, data.data()};
}

Status write_row(const MatrixWriter& matrix, std::uint64_t row, std::span<const float> values) {
  for (std::uint64_t element = 0; element < values.size(); ++element) {
    const float value = values[element];
    if (matrix.format.codes == Codes::kF32) {
      std::memcpy(matrix.data + word_offset(matrix.layout, row, element), &value, 4);
      continue;
    }
    const std::uint16_t half = f32_to_f16(value);
    if (!is_finite_half(half)) {
      return fail(Code::kInvalidArgument, "f16 cannot hold " + std::to_string(value) + " (row " + std::to_string(row) +
                                              ", element " + std::to_string(element) + ")");
    }
    std::memcpy(matrix.data + word_offset(matrix.layout, row, element / 2) + element % 2 * 2, &half, 2);
  }
  return {};
}

void write_codes(const MatrixWriter& matrix, std::uint64_t row, std::span<const std::uint8_t> codes) {
  for (std::uint64_t element = 0; element < codes.size(); ++element) {
    const std::uint32_t code = codes[element];
    const bool is_split = matrix.format.codes == Codes::kQ3;
    or_word(matrix, row, low_place(matrix.format.codes, element), is_split ? code & 3U : code);
    if (is_split) {
      or_word(matrix, row, high_place(element), code >> 2);
    }
  }
}

void write_entry(const MatrixWriter& matrix, std::uint64_t row, std::uint64_t block, std::uint16_t low,
                 std::uint16_t high) {
  const std::uint32_t size = entry_bytes(matrix.format);
  const bool is_half = matrix.format.scales == ScaleEncoding::kF16;
  const std::uint32_t entry = low | static_cast<std::uint32_t>(high) << (is_half ? 16 : 8);
  std::memcpy(matrix.data + entry_offset(matrix.format, matrix.layout, row, block), &entry, size);
}

void write_row_scale(const MatrixWriter& matrix, std::uint64_t row, std::uint16_t half) {
  std::memcpy(matrix.data + matrix.layout.row_scales_offset + row * 2, &half, 2);
}

void read_codes(const BlockMatrix& matrix, std::uint64_t row, std::uint64_t first, std::span<std::uint8_t> codes) {
  const Codes kind = matrix.format.codes;
  const std::uint32_t mask = kind == Codes::kQ3 ? 3U : (1U << code_bits(kind)) - 1U;
  for (std::uint64_t index = 0; index < codes.size(); ++index) {
    const std::uint64_t element = first + index;
    const Place low = low_place(kind, element);
    std::uint32_t code = load_word(matrix.data, word_offset(matrix.layout, row, low.column)) >> low.shift & mask;
    if (kind == Codes::kQ3) {
      const Place high = high_place(element);
      code |= (load_word(matrix.data, word_offset(matrix.layout, row, high.column)) >> high.shift & 1U) << 2;
    }
    codes[index] = static_cast<std::uint8_t>(code);
  }
}

BlockScale read_scale(const BlockMatrix& matrix, std::uint64_t row, std::uint64_t block) {
  const BlockFormat& format = matrix.format;
  const std::byte* entry = matrix.data + entry_offset(format, matrix.layout, row, block);
  const bool is_asymmetric = format.scheme == Scheme::kAsymmetric;
  const auto middle = static_cast<float>(1U << (code_bits(format.codes) - 1));
  if (format.scales == ScaleEncoding::kF16) {
    const float scale = f16_to_f32(load_half(entry));
    return is_asymmetric ? BlockScale{scale, 0, f16_to_f32(load_half(entry + 2)), true}
                         : BlockScale{scale, middle, 0, false};
  }
  const float scale = read_row_scale(matrix, row) * read_scale_index(matrix, row, block);
  const float zero =
      is_asymmetric ? static_cast<float>(std::to_integer<std::uint32_t>(entry[1])) * zero_unit(format.codes) : middle;
  return {scale, zero, 0, false};
}

float read_scale_index(const BlockMatrix& matrix, std::uint64_t row, std::uint64_t block) {
  return std::to_integer<std::uint8_t>(matrix.data[entry_offset(matrix.format, matrix.layout, row, block)]);
}

float read_row_scale(const BlockMatrix& matrix, std::uint64_t row) {
  return f16_to_f32(load_half(matrix.data + matrix.layout.row_scales_offset + row * 2)) * 0x1p-8F;
}

void read_values(const BlockMatrix& matrix, std::uint64_t row, std::uint64_t first, std::span<float> values) {
  for (std::uint64_t index = 0; index < values.size(); ++index) {
    const std::uint64_t element = first + index;
    if (matrix.format.codes == Codes::kF32) {
      std::memcpy(&values[index], matrix.data + word_offset(matrix.layout, row, element), 4);
    } else {
      const std::uint64_t offset = word_offset(matrix.layout, row, element / 2) + element % 2 * 2;
      values[index] = f16_to_f32(load_half(matrix.data + offset));
    }
  }
}

void dequantize_row(const BlockMatrix& matrix, std::uint64_t row, std::span<float> values) {
  if (!is_quantized(matrix.format.codes)) {
    read_values(matrix, row, 0, values);
    return;
  }
  std::uint8_t codes[kMaxBlock];
  const std::uint32_t block_size = matrix.format.block;
  for (std::uint64_t block = 0; block < matrix.layout.blocks; ++block) {
    read_codes(matrix, row, block * block_size, std::span(codes, block_size));
    const BlockScale scale = read_scale(matrix, row, block);
    for (std::uint32_t index = 0; index < block_size; ++index) {
      values[block * block_size + index] = scale.value(codes[index]);
    }
  }
}

}  // namespace shoal::formats
