// AVX-512 F, BW, VL and VNNI: 16 lanes, a whole tile in one vector.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace shoal::kernels {

struct Avx512 {
  static constexpr int kLanes = 16;
  static constexpr int kRowsAtOnce = 8;
  static constexpr int kInt8RowsAtOnce = 4;
  static constexpr int kWideRowsAtOnce = 4;
  static constexpr int kInt8SumsAtOnce = 4;
  template <class T>
  static T* opaque(T* pointer) {
    return pointer;
  }
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
  static Words widen(const std::uint8_t* from) { return _mm512_cvtepu8_epi32(_mm_loadu_si128(as<__m128i>(from))); }
  static Words widen(const std::uint16_t* from) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256(as<__m256i>(from))); }
  static Words mask(Words words, std::uint32_t bits) {
    return _mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(bits)));
  }
  static Words either(Words a, Words b) { return _mm512_or_si512(a, b); }
  template <int kBits>
  static Words shift_right(Words words) {
    return _mm512_srli_epi32(words, kBits);
  }
  template <int kBits>
  static Words shift_left(Words words) {
    return _mm512_slli_epi32(words, kBits);
  }
  static Floats to_floats(Words words) { return _mm512_cvtepi32_ps(words); }
  static Floats low_half(Words words) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words)); }
  static Floats high_half(Words words) { return low_half(_mm512_srli_epi32(words, 16)); }

  struct Narrow {
    using Act = __m512i;
    using Codes = __m512i;
    static Codes codes(Words words) { return words; }
    static Act act(const std::int8_t* from) {
      std::int32_t word = 0;
      std::memcpy(&word, from, 4);
      return _mm512_set1_epi32(word);
    }
    __m512i sum = _mm512_setzero_si512();
    void add(Words codes, Act x) { sum = _mm512_dpbusd_epi32(sum, codes, x); }
    [[nodiscard]] Floats floats() const { return _mm512_cvtepi32_ps(sum); }
  };
  using Wide = Narrow;
  using WideOnce = Narrow;

 private:
  template <class T>
  static const T* as(const void* from) {
    return static_cast<const T*>(from);
  }
};

}  // namespace shoal::kernels
