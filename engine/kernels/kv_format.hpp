// How keys and values of a sequence are stored: each position's row of heads, each head by itself, so that a position's
// bytes depend on its own numbers alone: not on chunks, batches or neighbours.
//
//   32   floats
//   16   binary16
//   8, 4, 2   groups of columns: scale and least value as binary16, then codes; a value is least + code * scale
//
// A byte holds the codes of the columns j and j + g/2 (4 bits), or j, j + g/4, j + g/2 and j + 3g/4 (2 bits), of its
// group of g, the first in the low bits: unpacked columns lie one after the other.
//
// With 4 and 2 bits a head whose width is a power of two is multiplied by the normalised Hadamard matrix first, which
// spreads the few large columns that keys have over all of them (as llama.cpp does, PR #21038). The matrix is its own
// inverse: queries are turned too, and results are turned back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/core/result.hpp"

namespace shoal::kernels {

inline constexpr std::uint32_t kMaxHeadWidth = 512;

struct KvFormat {
  std::uint32_t bits = 32;
  std::uint32_t heads = 1;
  std::uint32_t width = 1;  // columns of a head

  // kInvalidArgument for other bits, kPrecisionNotSupported for a width that they do not fit.
  static Result<KvFormat> make(std::uint32_t bits, std::uint32_t heads, std::uint32_t width);

  [[nodiscard]] bool is_quantized() const { return bits <= 8; }
  [[nodiscard]] bool is_turned() const { return bits <= 4 && (width & (width - 1)) == 0; }
  [[nodiscard]] std::uint32_t group() const;  // columns that share a scale
  [[nodiscard]] std::size_t head_bytes() const;
  [[nodiscard]] std::size_t row_bytes() const { return head_bytes() * heads; }
};

// The positions of one head in a slot.
struct KvRows {
  const std::uint8_t* data = nullptr;  // of the first position's head
  std::size_t rows = 0;
  KvFormat format{};

  [[nodiscard]] const std::uint8_t* row(std::size_t index) const { return data + index * format.row_bytes(); }
};

// One position: heads * width numbers to row_bytes() bytes.
void store_row(const KvFormat& format, const float* from, std::uint8_t* to);
// One head of it, turned as it is stored: `width` numbers.
void load_head(const KvFormat& format, const std::uint8_t* from, float* to);

// `width` numbers times the normalised Hadamard matrix, in place. Requires: width is a power of two.
void turn(float* numbers, std::size_t width);

}  // namespace shoal::kernels
