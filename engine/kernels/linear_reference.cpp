// The scalar reference: the definition of every result, written for reading. All other tiers are tested against it.
#include <algorithm>

#include "engine/formats/pack.hpp"
#include "engine/kernels/linear_tiers.hpp"

namespace shoal::kernels {
namespace {

using formats::BlockMatrix;
using formats::BlockScale;

// Elements first .. first + count of a row of W, dequantised.
void dequantize_run(const BlockMatrix& weight, std::size_t row, std::size_t first, std::size_t count, float* values) {
  if (!formats::is_quantized(weight.format.codes)) {
    formats::read_values(weight, row, first, {values, count});
    return;
  }
  std::uint8_t codes[kRun];
  formats::read_codes(weight, row, first, {codes, count});
  for (std::size_t index = 0; index < count; ++index) {
    values[index] = formats::read_scale(weight, row, (first + index) / weight.format.block).value(codes[index]);
  }
}

float dot_f32(const BlockMatrix& weight, std::size_t n, const float* x) {
  const std::size_t k = weight.layout.k;
  float total = 0;
  for (std::size_t first = 0; first < k; first += kRun) {
    const std::size_t count = std::min(kRun, k - first);
    float values[kRun];
    dequantize_run(weight, n, first, count, values);
    float run = 0;
    for (std::size_t index = 0; index < count; ++index) {
      run += values[index] * x[first + index];
    }
    total += run;
  }
  return total;
}

// The row scale of s8z8 is applied once, at the end: `scale` here is the u8 index alone.
BlockScale unscaled(const BlockMatrix& weight, std::size_t n, std::size_t block) {
  BlockScale scale = formats::read_scale(weight, n, block);
  if (weight.format.scales == formats::ScaleEncoding::kS8Z8) {
    scale.scale = formats::read_scale_index(weight, n, block);
  }
  return scale;
}

float dot_int8(const BlockMatrix& weight, std::size_t n, const Int8Rows& x, std::size_t row) {
  const std::size_t step = std::min<std::size_t>(weight.format.block, kRun);
  float total = 0;
  for (std::size_t first = 0; first < x.k; first += step) {
    std::uint8_t codes[kRun];
    formats::read_codes(weight, n, first, {codes, step});
    const std::size_t place = x.place(row, first / kRun);
    const std::int8_t* x_codes = x.codes + place * kRun + first % kRun;
    std::int32_t integer = 0;
    for (std::size_t index = 0; index < step; ++index) {
      integer += codes[index] * x_codes[index];
    }
    const auto dot = static_cast<float>(integer);
    const float sum = step == 16 ? x.half_sums[2 * place + first % kRun / 16] : x.sums[place];
    const float x_scale = x.scales[place];
    const BlockScale scale = unscaled(weight, n, first / weight.format.block);
    if (scale.has_min) {
      total += (scale.scale * dot + scale.min * sum) * x_scale;
    } else {
      total += (scale.scale * x_scale) * (dot - scale.zero * sum);
    }
  }
  return weight.format.scales == formats::ScaleEncoding::kS8Z8 ? total * formats::read_row_scale(weight, n) : total;
}

}  // namespace

void linear_reference(const LinearCall& call) {
  for (std::size_t n = call.n_begin; n < call.n_end; ++n) {
    for (std::size_t row = 0; row < call.rows; ++row) {
      const float total = call.int8 != nullptr ? dot_int8(call.weight, n, *call.int8, row)
                                               : dot_f32(call.weight, n, call.x + row * call.x_stride);
      call.y[row * call.y_stride + n] = call.bias != nullptr ? total + call.bias[n] : total;
    }
  }
}

}  // namespace shoal::kernels
