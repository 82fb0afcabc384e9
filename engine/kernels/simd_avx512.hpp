// AVX-512 F, BW, VL and VNNI: 16 lanes, a whole tile in one vector.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace shoal::kernels {

struct Avx512 {
  static constexpr int kLanes = 16;
  static constexpr int kRowsAtOnce = 8;
  using Floats = __m512;
  using Words = __m512i;

  static Floats load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Floats value) { _mm512_storeu_ps(to, value); }
  static Floats splat(float value) { return _mm512_set1_ps(value); }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }

  static Words load_words(const std::uint32_t* from) { return _mm512_loadu_si512(from); }
  static Floats low_half(Words words) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words)); }
  static Floats high_half(Words words) { return low_half(_mm512_srli_epi32(words, 16)); }
};

}  // namespace shoal::kernels
