// y[rows, n] = x[rows, k] * W[n, k]^T (+ bias) for a W of any block format: one entry point for one row (decode), a few
// and many (prefill). It allocates nothing and owns no thread: the caller splits [0, n) and calls once for each part.
//
// Order of summation, on every tier: elements of a run of 32 along k one after the other, then the runs one after the
// other, then the bias. So a row's result depends neither on the other rows of the call nor on how n was split.
// - int8 activations: within a run the sum is an integer and what follows is single additions and multiplications:
//   all tiers give the same bits.
// - f32 activations: W is dequantised to f32 first (the bits of formats::dequantize_row). AVX2 and AVX-512 fuse the
//   multiplication and the addition, relaxed SIMD does where the machine does, scalar and simd128 do not. The same
//   bits within a tier; between those kinds |difference| <= 2^-22 * (32 + k / 32) * sum |w x|.
#pragma once

#include <cstddef>

#include "engine/formats/block_format.hpp"
#include "engine/kernels/int8_rows.hpp"
#include "engine/kernels/tier.hpp"

namespace shoal::kernels {

struct LinearCall {
  formats::BlockMatrix weight;
  // Row r of x starts at x + r * x_stride. With `int8` set, x is not read.
  const float* x = nullptr;
  std::size_t x_stride = 0;
  std::size_t rows = 0;
  // The same rows as int8 (quantize_rows), or null for f32 activations. Only for quantised weights.
  const Int8Rows* int8 = nullptr;
  const float* bias = nullptr;  // [n] or null
  // y[r, i] is y[r * y_stride + i], for i from n_begin to n_end.
  float* y = nullptr;
  std::size_t y_stride = 0;
  // The outputs to compute. n_begin is a multiple of 16, n_end too unless it is n.
  std::size_t n_begin = 0;
  std::size_t n_end = 0;
};

// Whether int8 activations are the faster and the intended way for this format: every quantised one.
constexpr bool prefers_int8(const formats::BlockFormat& format) { return formats::is_quantized(format.codes); }

// Requires: runs(tier), and a call as described above.
void linear(const LinearCall& call, Tier tier = best_tier());

}  // namespace shoal::kernels
