// WASM SIMD128, and relaxed SIMD as a tier of its own: 4 lanes.
#pragma once

#include <wasm_simd128.h>

#include <cstdint>

namespace shoal::kernels {

struct Simd128 {
  static constexpr int kLanes = 4;
  static constexpr int kRowsAtOnce = 2;
  using Floats = v128_t;
  using Words = v128_t;

  static Floats load(const float* from) { return wasm_v128_load(from); }
  static void store(float* to, Floats value) { wasm_v128_store(to, value); }
  static Floats splat(float value) { return wasm_f32x4_splat(value); }
  static Floats add(Floats a, Floats b) { return wasm_f32x4_add(a, b); }
  static Floats sub(Floats a, Floats b) { return wasm_f32x4_sub(a, b); }
  static Floats mul(Floats a, Floats b) { return wasm_f32x4_mul(a, b); }
  static Floats multiply_add(Floats a, Floats b, Floats c) { return wasm_f32x4_add(wasm_f32x4_mul(a, b), c); }

  static Words load_words(const std::uint32_t* from) { return wasm_v128_load(from); }
  static Floats low_half(Words words) { return high_half(wasm_i32x4_shl(words, 16)); }
  // Sign and exponent are moved to where binary32 has them; 2^112 is the difference of the biases, and multiplying by
  // it also makes subnormals right. Weights are finite, so infinity and NaN need no care.
  static Floats high_half(Words words) {
    const v128_t moved = wasm_v128_and(wasm_i32x4_shr(words, 3), wasm_i32x4_splat(static_cast<int>(0x8FFFE000U)));
    return wasm_f32x4_mul(moved, wasm_f32x4_splat(0x1p112F));
  }
};

#if defined(__wasm_relaxed_simd__)
struct RelaxedSimd : Simd128 {
  static Floats multiply_add(Floats a, Floats b, Floats c) { return wasm_f32x4_relaxed_madd(a, b, c); }
};
#endif

}  // namespace shoal::kernels
