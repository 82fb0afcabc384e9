// A run of 32 elements of a tile of W as f32 vectors, for linear_f32.hpp: read in place where that is cheap, else
// dequantised into [32, 16] floats. And the end of every linear kernel: a tile's totals into y.
#pragma once

#include "engine/formats/block_format.hpp"
#include "engine/kernels/linear.hpp"
#include "engine/kernels/linear_unpack.hpp"
#include "engine/kernels/simd.hpp"

namespace shoal::kernels {

// `each(count, use)` calls use(element, vector, floats) for every element below `count`, in order.
template <class V>
struct F32Panel {
  const std::uint32_t* words;

  template <class Use>
  void each(std::size_t count, Use use) const {
    const auto* values = reinterpret_cast<const float*>(words);
    for (std::size_t element = 0; element < count; ++element) {
      for (int vector = 0; vector < 16 / V::kLanes; ++vector) {
        use(element, vector, V::load(values + element * 16 + static_cast<std::size_t>(vector * V::kLanes)));
      }
    }
  }
};

template <class V>
struct ScratchPanel {
  const float* values;

  template <class Use>
  void each(std::size_t count, Use use) const {
    F32Panel<V>{reinterpret_cast<const std::uint32_t*>(values)}.each(count, use);
  }
};

template <class V>
struct F16Panel {
  const std::uint32_t* words;

  template <class Use>
  void each(std::size_t count, Use use) const {
    for (std::size_t element = 0; element < count; element += 2) {
      for (int vector = 0; vector < 16 / V::kLanes; ++vector) {
        const auto pair = V::load_words(words + element / 2 * 16 + static_cast<std::size_t>(vector * V::kLanes));
        use(element, vector, V::low_half(pair));
        if (element + 1 < count) {
          use(element + 1, vector, V::high_half(pair));
        }
      }
    }
  }
};

// A run of a quantised tile into values[element, 16]: the bits of formats::dequantize_row.
template <class V, formats::Codes kCodes>
void dequantize_run(const formats::BlockMatrix& weight, std::size_t tile, std::size_t first, float* values) {
  const std::size_t entries = 16 * formats::entry_bytes(weight.format);
  const bool is_min = has_min(weight.format);
  TileScales<V> scales[2];
  for (std::size_t half = 0; half < 2 && first + half * 16 < weight.layout.k; ++half) {
    const std::size_t block = (first + half * 16) / weight.format.block;
    scales[half].load(weight.format, weight.tile_scales(tile) + block * entries);
    for (int vector = 0; vector < 16 / V::kLanes; ++vector) {
      scales[half].scale[vector] = V::mul(scales[half].scale[vector], row_scales<V>(weight, tile, vector));
    }
  }
  const std::uint32_t* words = weight.tile(tile) + first / kRun * Unpack<V, kCodes>::kColumns * 16;
  Unpack<V, kCodes>::each(words, [&](int word, int vector, typename V::Words codes) {
    const auto scale = scales[word / 4].scale[vector];
    const auto offset = scales[word / 4].offset[vector];
    for (int byte = 0; byte < 4; ++byte) {
      const auto code = V::to_floats(V::mask(codes, 0xFFU));
      const auto value = is_min ? V::add(V::mul(scale, code), offset) : V::mul(scale, V::sub(code, offset));
      V::store(values + (4 * word + byte) * 16 + vector * V::kLanes, value);
      codes = V::template shift_right<8>(codes);
    }
  });
}

// Elements first .. first + count of the tile's 16 rows into values[element, 16]; `first` starts a run.
template <class V>
void dequantize_panel(const formats::BlockMatrix& weight, std::size_t tile, std::size_t first, std::size_t count,
                      float* values) {
  switch (weight.format.codes) {
    case formats::Codes::kQ8:
      return dequantize_run<V, formats::Codes::kQ8>(weight, tile, first, values);
    case formats::Codes::kQ4:
      return dequantize_run<V, formats::Codes::kQ4>(weight, tile, first, values);
    case formats::Codes::kQ3:
      return dequantize_run<V, formats::Codes::kQ3>(weight, tile, first, values);
    case formats::Codes::kQ2:
      return dequantize_run<V, formats::Codes::kQ2>(weight, tile, first, values);
    default:
      F16Panel<V>{weight.tile(tile) + first / 2 * 16}.each(
          count, [&](std::size_t element, int vector, typename V::Floats floats) {
            V::store(values + element * 16 + static_cast<std::size_t>(vector * V::kLanes), floats);
          });
  }
}

// y of rows first_row .. first_row + rows and of the tile that starts at n, from totals[row, 16]. Rows of the last
// tile that lie past n_end are dropped.
template <class V>
void store_tile(const LinearCall& call, std::size_t n, std::size_t first_row, std::size_t rows, const float* totals) {
  const std::size_t count = call.n_end - n < 16 ? call.n_end - n : 16;
  for (std::size_t row = 0; row < rows; ++row) {
    float* y = call.y + (first_row + row) * call.y_stride + n;
    for (std::size_t index = 0; index < count; ++index) {
      const float total = totals[row * 16 + index];
      y[index] = call.bias != nullptr ? total + call.bias[n + index] : total;
    }
  }
}

}  // namespace shoal::kernels
