// AVX2 with FMA and F16C: 8 lanes.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace shoal::kernels {

struct Avx2 {
  static constexpr int kLanes = 8;
  static constexpr int kRowsAtOnce = 4;
  using Floats = __m256;
  using Words = __m256i;

  static Floats load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Floats value) { _mm256_storeu_ps(to, value); }
  static Floats splat(float value) { return _mm256_set1_ps(value); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  // a * b + c, fused where the tier fuses.
  static Floats multiply_add(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }

  static Words load_words(const std::uint32_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  // The low and the high binary16 of each word.
  static Floats low_half(Words words) { return half(_mm256_and_si256(words, _mm256_set1_epi32(0xFFFF))); }
  static Floats high_half(Words words) { return half(_mm256_srli_epi32(words, 16)); }

 private:
  static Floats half(Words words) {
    return _mm256_cvtph_ps(_mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
};

}  // namespace shoal::kernels
