// Codes and scales of a run of 32 elements of a tile, out of the layout of block_format.hpp into vectors of a tier.
#pragma once

#include "engine/formats/block_format.hpp"
#include "engine/kernels/simd.hpp"

namespace shoal::kernels {

// each(words, use) calls use(word, vector, codes) for word 0 to 7: byte j of a lane of `codes` is element 4 word + j.
// `words` is the first column of the run.
template <class V, formats::Codes kCodes>
struct Unpack {
  static constexpr int kVectors = 16 / V::kLanes;
  static constexpr std::size_t kColumns = formats::code_bits(kCodes);
  // Columns but for the one of third bits.
  static constexpr int kLowColumns = kCodes == formats::Codes::kQ3 ? 2 : static_cast<int>(kColumns);
  using Words = typename V::Words;

  static Words load(const std::uint32_t* words, int column, int vector) {
    return V::load_words(words + column * 16 + vector * V::kLanes);
  }

  // A vector at a time: one sum and few temporaries is what the 16 registers of WASM engines hold without spilling.
  template <class Use>
  static void each(const std::uint32_t* words, Use use) {
    for (int vector = 0; vector < kVectors; ++vector) {
      for (int column = 0; column < kLowColumns; ++column) {
        const Words packed = load(words, column, vector);
        if constexpr (kCodes == formats::Codes::kQ8) {
          use(column, vector, packed);
        } else if constexpr (kCodes == formats::Codes::kQ4) {
          each_nibble(packed, 2 * column, 1, vector, use);
        } else if constexpr (kCodes == formats::Codes::kQ2) {
          use(4 * column, vector, V::mask(packed, 0x03030303U));
          use(4 * column + 1, vector, V::mask(V::template shift_right<2>(packed), 0x03030303U));
          use(4 * column + 2, vector, V::mask(V::template shift_right<4>(packed), 0x03030303U));
          use(4 * column + 3, vector, V::mask(V::template shift_right<6>(packed), 0x03030303U));
        } else {
          // Two fields are merged with their third bits at once, as nibbles; the order of the bits of `high` is made
          // for it.
          const Words high = load(words, 2, vector);
          if (column == 0) {
            each_merged(packed, V::template shift_left<2>(high), V::template shift_left<1>(high), 0, vector, use);
          } else {
            each_merged(packed, high, V::template shift_right<1>(high), 4, vector, use);
          }
        }
      }
    }
  }

 private:
  template <class Use>
  static void each_nibble(Words packed, int word, int step, int vector, Use& use) {
    use(word, vector, V::mask(packed, 0x0F0F0F0FU));
    use(word + step, vector, V::mask(V::template shift_right<4>(packed), 0x0F0F0F0FU));
  }

  template <class Use>
  static void each_merged(Words low, Words even_bits, Words odd_bits, int word, int vector, Use& use) {
    each_nibble(V::either(V::mask(low, 0x33333333U), V::mask(even_bits, 0x44444444U)), word, 2, vector, use);
    each_nibble(V::either(V::mask(V::template shift_right<2>(low), 0x33333333U), V::mask(odd_bits, 0x44444444U)),
                word + 1, 2, vector, use);
  }
};

// Scale entries of a block for the 16 rows of a tile. `scale` of s8z8 is the u8 alone, without the row scale.
template <class V>
struct TileScales {
  static constexpr int kVectors = 16 / V::kLanes;
  typename V::Floats scale[kVectors];
  typename V::Floats offset[kVectors];  // the zero point, or the min

  void load(const formats::BlockFormat& format, const std::byte* entries) {
    const bool is_asymmetric = format.scheme == formats::Scheme::kAsymmetric;
    const auto middle = V::splat(static_cast<float>(1U << (formats::code_bits(format.codes) - 1)));
    const auto unit = V::splat(formats::zero_unit(format.codes));
    for (int vector = 0; vector < kVectors; ++vector) {
      const int first = vector * V::kLanes;
      if (format.scales == formats::ScaleEncoding::kS8Z8 && is_asymmetric) {
        const auto words = V::widen(reinterpret_cast<const std::uint16_t*>(entries) + first);
        scale[vector] = V::to_floats(V::mask(words, 0xFFU));
        offset[vector] = V::mul(V::to_floats(V::template shift_right<8>(words)), unit);
      } else if (format.scales == formats::ScaleEncoding::kS8Z8) {
        scale[vector] = V::to_floats(V::widen(reinterpret_cast<const std::uint8_t*>(entries) + first));
        offset[vector] = middle;
      } else if (is_asymmetric) {
        const auto words = V::load_words(reinterpret_cast<const std::uint32_t*>(entries) + first);
        scale[vector] = V::low_half(words);
        offset[vector] = V::high_half(words);
      } else {
        scale[vector] = V::low_half(V::widen(reinterpret_cast<const std::uint16_t*>(entries) + first));
        offset[vector] = middle;
      }
    }
  }
};

constexpr bool has_min(const formats::BlockFormat& format) {
  return format.scales == formats::ScaleEncoding::kF16 && format.scheme == formats::Scheme::kAsymmetric;
}

// row_scale / 256 of a vector of rows of a tile; 1 where the format has no row scales.
template <class V>
typename V::Floats row_scales(const formats::BlockMatrix& weight, std::size_t tile, int vector) {
  if (weight.format.scales != formats::ScaleEncoding::kS8Z8) {
    return V::splat(1.0F);
  }
  const std::uint16_t* halves = weight.row_scales() + tile * 16 + vector * V::kLanes;
  return V::mul(V::low_half(V::widen(halves)), V::splat(0x1p-8F));
}

}  // namespace shoal::kernels
