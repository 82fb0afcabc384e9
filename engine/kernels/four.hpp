// Four floats and the functions of them that activations and softmax need, for kernels whose results are to be the same
// bits on every tier: the compiler has four lanes everywhere (SSE2, NEON, WASM SIMD), and no product is fused with a
// sum.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shoal::kernels {

using Four = float __attribute__((ext_vector_type(4)));
using FourInts = std::int32_t __attribute__((ext_vector_type(4)));
inline constexpr std::size_t kFour = 4;

inline Four splat4(float value) { return {value, value, value, value}; }

inline Four load4(const float* from) {
  Four out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}
inline void store4(float* to, Four value) { std::memcpy(to, &value, sizeof(value)); }

// The first `count` of four, the others 0.
inline Four load_some(const float* from, std::size_t count) {
  Four out = splat4(0);
  std::memcpy(&out, from, count * sizeof(float));
  return out;
}
inline void store_some(float* to, Four value, std::size_t count) { std::memcpy(to, &value, count * sizeof(float)); }

inline float sum4(Four value) { return (value[0] + value[1]) + (value[2] + value[3]); }

// Relative error below 2e-7; between -86 and 88, beyond that the value there. NaN stays NaN.
inline Four exp4(Four x) {
  x = x < splat4(-86) ? splat4(-86) : x;
  x = x > splat4(88) ? splat4(88) : x;
  // Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits.
  const Four shifted = x * 1.44269504F + 12582912.0F;
  const Four whole = shifted - 12582912.0F;
  // ln 2 in two parts, the first with so few bits that its product is exact.
  const Four r = (x - whole * 0.693359375F) - whole * -2.12194440e-4F;
  Four sum = r * (1 / 5040.0F) + 1 / 720.0F;
  sum = sum * r + 1 / 120.0F;
  sum = sum * r + 1 / 24.0F;
  sum = sum * r + 1 / 6.0F;
  sum = sum * r + 0.5F;
  sum = sum * r + 1.0F;
  sum = sum * r + 1.0F;
  const FourInts bits = std::bit_cast<FourInts>(sum) + (std::bit_cast<FourInts>(shifted) << 23);
  return std::bit_cast<Four>(bits);
}

inline Four abs4(Four x) { return x < splat4(0) ? -x : x; }

inline Four sigmoid4(Four x) { return splat4(1) / (exp4(-x) + 1.0F); }

// Absolute error below 2e-7.
inline Four tanh4(Four x) {
  const Four e = exp4(abs4(x) * -2.0F);
  const Four positive = (splat4(1) - e) / (e + 1.0F);
  return x < splat4(0) ? -positive : positive;
}

// The share of a normal distribution below x, by the formula 7.1.26 of Abramowitz and Stegun: absolute error below
// 1e-7. The small tail is computed as such, so that a gelu keeps its relative precision far below zero.
inline Four normal_share4(Four x) {
  const Four z = abs4(x) * 0.70710678F;
  const Four t = splat4(1) / (z * 0.3275911F + 1.0F);
  Four sum = t * 1.061405429F - 1.453152027F;
  sum = sum * t + 1.421413741F;
  sum = sum * t - 0.284496736F;
  sum = sum * t + 0.254829592F;
  const Four tail = sum * t * exp4(-z * z) * 0.5F;
  return x < splat4(0) ? tail : splat4(1) - tail;
}

}  // namespace shoal::kernels
