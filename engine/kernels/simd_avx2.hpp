// AVX2 with FMA and F16C: 8 lanes.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace shoal::kernels {

struct Avx2 {
  static constexpr int kLanes = 8;
  static constexpr int kRowsAtOnce = 4;
  static constexpr int kInt8RowsAtOnce = 4;
  static constexpr int kWideRowsAtOnce = 4;
  static constexpr int kInt8SumsAtOnce = 8;
  template <class T>
  static T* opaque(T* pointer) {
    return pointer;
  }
  using Floats = __m256;
  using Words = __m256i;

  static Floats load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Floats value) { _mm256_storeu_ps(to, value); }
  static Floats splat(float value) { return _mm256_set1_ps(value); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats multiply_add(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }

  static Words load_words(const std::uint32_t* from) { return load_as<__m256i>(from); }
  static Words widen(const std::uint8_t* from) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64(as<__m128i>(from))); }
  static Words widen(const std::uint16_t* from) { return _mm256_cvtepu16_epi32(_mm_loadu_si128(as<__m128i>(from))); }
  static Words mask(Words words, std::uint32_t bits) {
    return _mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(bits)));
  }
  static Words either(Words a, Words b) { return _mm256_or_si256(a, b); }
  template <int kBits>
  static Words shift_right(Words words) {
    return _mm256_srli_epi32(words, kBits);
  }
  template <int kBits>
  static Words shift_left(Words words) {
    return _mm256_slli_epi32(words, kBits);
  }
  static Floats to_floats(Words words) { return _mm256_cvtepi32_ps(words); }
  static Floats low_half(Words words) { return half(mask(words, 0xFFFF)); }
  static Floats high_half(Words words) { return half(_mm256_srli_epi32(words, 16)); }

  struct Narrow {
    using Act = __m256i;
    using Codes = __m256i;
    static Act act(const std::int8_t* from) { return splat_word(from); }
    static Codes codes(Words words) { return words; }
    __m256i sum = _mm256_setzero_si256();
    void add(Words codes, Act x) { sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, x)); }
    [[nodiscard]] Floats floats() const { return _mm256_cvtepi32_ps(_mm256_madd_epi16(sum, _mm256_set1_epi16(1))); }
  };

  struct Wide {
    struct Pair {
      __m256i even, odd;
    };
    using Act = Pair;
    using Codes = Pair;
    static Act act(const std::int8_t* from) {
      const __m256i word = splat_word(from);
      return {_mm256_srai_epi16(_mm256_slli_epi16(word, 8), 8), _mm256_srai_epi16(word, 8)};
    }
    static Codes codes(Words words) {
      return {_mm256_and_si256(words, _mm256_set1_epi16(0xFF)), _mm256_srli_epi16(words, 8)};
    }
    __m256i sum = _mm256_setzero_si256();
    void add(const Codes& codes, const Act& x) {
      const __m256i even = _mm256_madd_epi16(codes.even, x.even);
      const __m256i odd = _mm256_madd_epi16(codes.odd, x.odd);
      sum = _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
    }
    [[nodiscard]] Floats floats() const { return _mm256_cvtepi32_ps(sum); }
  };
  using WideOnce = Wide;

 private:
  template <class T>
  static const T* as(const void* from) {
    return static_cast<const T*>(from);
  }
  template <class T>
  static T load_as(const void* from) {
    return _mm256_loadu_si256(as<__m256i>(from));
  }
  static __m256i splat_word(const std::int8_t* from) {
    return _mm256_castps_si256(_mm256_broadcast_ss(as<float>(from)));
  }
  static Floats half(Words words) {
    return _mm256_cvtph_ps(_mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
};

}  // namespace shoal::kernels
