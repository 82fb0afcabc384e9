// How the weights of a matrix are stored: the element type or bit width, the scheme and the block of the scales. The
// same bytes are read by native code, by WASM and by WGSL; nothing repacks them at load. docs/formats.md explains the
// layout with a worked example; this is the whole of it (all numbers little-endian, W is [n, k]):
//
//   matrix     := codes pad scales pad row_scales pad  each region starts, and the matrix ends, on a multiple of 256
//   codes      := tile[ceil(n/16)]                     a tile is 16 rows; rows past n are zero
//   tile       := column[columns]                      columns of k rounded up to 32 (f32: k, f16: to 2) elements
//   column     := u32[16]                              one word for each row of the tile
//   word       := f32: element 1                       element e of a row in word e
//               | f16: elements 2                      element 2c in the low half of word c
//               | q8:  elements 4                      field = byte
//               | q4:  elements 8                      2 fields of 4 bits in each byte
//               | q2:  elements 16                     4 fields of 2 bits in each byte
//     q8, q4, q2: field i of byte j is element 4i + j, so that a masked word is 4 consecutive elements, a code a byte
//               | q3:  32 elements are the words l0 l1 h: l0, l1 as q2 with the low two bits of elements 0-15, 16-31;
//                      bit p of byte j of h is the third bit of element 16g + 4i + j, p = 4(i >> 1) + 2g + (i & 1)
//   scales     := per tile, per block: entry[16]       nothing for f32 and f16
//   entry      := s8z8 asymmetric: u8 scale, u8 zero   w = row_scale / 256 * scale * (code - zero * zero_unit)
//               | s8z8 symmetric:  u8 scale            w = row_scale / 256 * scale * (code - 2^(bits-1))
//               | f16 asymmetric:  f16 scale, f16 min  w = scale * code + min
//               | f16 symmetric:   f16 scale           w = scale * (code - 2^(bits-1))
//   row_scales := f16[16 * ceil(n/16)]                 s8z8 only
//   zero_unit  := q8: 1, q4: 1/16, q3: 1/32, q2: 1/64
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/core/bytes.hpp"
#include "engine/core/result.hpp"

namespace shoal::formats {

enum class Codes : std::uint8_t { kF32, kF16, kQ8, kQ4, kQ3, kQ2 };
enum class Scheme : std::uint8_t { kSymmetric, kAsymmetric };
enum class ScaleEncoding : std::uint8_t { kS8Z8, kF16 };

inline constexpr std::uint32_t kTileRows = 16;
inline constexpr std::uint32_t kRegionAlignment = 256;
inline constexpr std::uint32_t kMinBlock = 16;
inline constexpr std::uint32_t kMaxBlock = 256;

// Scheme, encoding and block mean nothing for f32 and f16 and are then the defaults.
struct BlockFormat {
  Codes codes = Codes::kF32;
  Scheme scheme = Scheme::kAsymmetric;
  ScaleEncoding scales = ScaleEncoding::kS8Z8;
  std::uint16_t block = 32;

  bool operator==(const BlockFormat&) const = default;
};

constexpr bool is_quantized(Codes codes) { return codes >= Codes::kQ8; }
constexpr std::uint32_t code_bits(Codes codes) {
  constexpr std::uint32_t kBits[] = {32, 16, 8, 4, 3, 2};
  return kBits[static_cast<std::size_t>(codes)];
}
// The codes of a bit width in {2, 3, 4, 8, 16, 32}; anything else is kPrecisionNotSupported.
Result<Codes> codes_of_bits(std::uint32_t bits);

// What one step of the u8 zero point stands for, in codes.
constexpr float zero_unit(Codes codes) {
  return codes == Codes::kQ8 ? 1.0F : codes == Codes::kQ4 ? 0x1p-4F : codes == Codes::kQ3 ? 0x1p-5F : 0x1p-6F;
}
constexpr std::uint32_t entry_bytes(const BlockFormat& format) {
  const std::uint32_t asymmetric = format.scheme == Scheme::kAsymmetric ? 2 : 1;
  return asymmetric * (format.scales == ScaleEncoding::kF16 ? 2 : 1);
}

// "f32", "f16", "q4-asym-s8z8-g32", "q8-sym-f16-g64". parse_format takes exactly these.
std::string format_name(const BlockFormat& format);
Result<BlockFormat> parse_format(std::string_view name);

// The largest power of two that is at most `requested` and divides k. kInvalidArgument unless `requested` is a power
// of two from 16 to 256; kPrecisionNotSupported when k is no multiple of 16, because then no block fits.
Result<std::uint16_t> effective_block(std::uint32_t requested, std::uint64_t k);

// Sizes and offsets, in bytes unless the name says otherwise, of an [n, k] matrix.
struct BlockLayout {
  std::uint64_t n = 0;
  std::uint64_t k = 0;
  std::uint64_t tiles = 0;
  std::uint64_t columns = 0;  // words of a row
  std::uint64_t blocks = 0;   // scale entries of a row
  std::uint64_t scales_offset = 0;
  std::uint64_t row_scales_offset = 0;
  std::uint64_t bytes = 0;
};

// kInvalidArgument for an empty matrix, a block that does not divide k or sizes beyond 2^40 elements.
Result<BlockLayout> layout_of(const BlockFormat& format, std::uint64_t n, std::uint64_t k);

// A matrix in place. It owns nothing: `data` (at least 4-byte aligned) must outlive it.
struct BlockMatrix {
  BlockFormat format;
  BlockLayout layout;
  const std::byte* data = nullptr;

  [[nodiscard]] const std::uint32_t* tile(std::uint64_t index) const {
    return reinterpret_cast<const std::uint32_t*>(data) + index * layout.columns * kTileRows;
  }
  [[nodiscard]] const std::byte* tile_scales(std::uint64_t index) const {
    return data + layout.scales_offset + index * layout.blocks * kTileRows * entry_bytes(format);
  }
  [[nodiscard]] const std::uint16_t* row_scales() const {
    return reinterpret_cast<const std::uint16_t*>(data + layout.row_scales_offset);
  }
};

// The matrix that `data` holds; kInvalidArgument when `data` is not exactly layout_of().bytes long or is misaligned.
Result<BlockMatrix> matrix_view(const BlockFormat& format, std::uint64_t n, std::uint64_t k, Bytes data);

}  // namespace shoal::formats
