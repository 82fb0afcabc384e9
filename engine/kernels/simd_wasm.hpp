// WASM SIMD128, and relaxed SIMD as a tier of its own: 4 lanes.
#pragma once

#include <wasm_simd128.h>

#include <cstdint>

namespace shoal::kernels {

struct Simd128 {
  static constexpr int kLanes = 4;
  static constexpr int kRowsAtOnce = 2;
  static constexpr int kInt8RowsAtOnce = 4;
  static constexpr int kWideRowsAtOnce = 2;
  static constexpr int kInt8SumsAtOnce = 8;
  using Floats = v128_t;
  using Words = v128_t;

  // A pointer that nothing is known of: what is added to it stays an offset of the instruction.
  template <class T>
  static T* opaque(T* pointer) {
    asm("" : "+r"(pointer));
    return pointer;
  }

  static Floats load(const float* from) { return wasm_v128_load(from); }
  static void store(float* to, Floats value) { wasm_v128_store(to, value); }
  static Floats splat(float value) { return wasm_f32x4_splat(value); }
  static Floats add(Floats a, Floats b) { return wasm_f32x4_add(a, b); }
  static Floats sub(Floats a, Floats b) { return wasm_f32x4_sub(a, b); }
  static Floats mul(Floats a, Floats b) { return wasm_f32x4_mul(a, b); }
  static Floats multiply_add(Floats a, Floats b, Floats c) { return wasm_f32x4_add(wasm_f32x4_mul(a, b), c); }

  static Words load_words(const std::uint32_t* from) { return wasm_v128_load(from); }
  static Words widen(const std::uint8_t* from) {
    return wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(from)));
  }
  static Words widen(const std::uint16_t* from) { return wasm_u32x4_load16x4(from); }
  static Words mask(Words words, std::uint32_t bits) { return wasm_v128_and(words, wasm_u32x4_splat(bits)); }
  static Words either(Words a, Words b) { return wasm_v128_or(a, b); }
  template <int kBits>
  static Words shift_right(Words words) {
    return wasm_u32x4_shr(words, kBits);
  }
  template <int kBits>
  static Words shift_left(Words words) {
    return wasm_i32x4_shl(words, kBits);
  }
  static Floats to_floats(Words words) { return wasm_f32x4_convert_i32x4(words); }
  static Floats low_half(Words words) { return high_half(wasm_i32x4_shl(words, 16)); }
  // Sign and exponent are moved to where binary32 has them; 2^112 is the difference of the biases, and multiplying by
  // it also makes subnormals right. Weights are finite, so infinity and NaN need no care.
  static Floats high_half(Words words) {
    const v128_t moved = mask(wasm_i32x4_shr(words, 3), 0x8FFFE000U);
    return wasm_f32x4_mul(moved, wasm_f32x4_splat(0x1p112F));
  }

  // SIMD128 multiplies bytes only after widening them: even and odd ones apart.
  struct Wide {
    struct Pair {
      v128_t even, odd;
    };
    using Act = Pair;
    using Codes = Pair;
    static Act act(const std::int8_t* from) {
      const v128_t word = wasm_v128_load32_splat(from);
      return {wasm_i16x8_shr(wasm_i16x8_shl(word, 8), 8), wasm_i16x8_shr(word, 8)};
    }
    static Codes codes(Words words) { return {wasm_v128_and(words, wasm_i16x8_splat(0xFF)), wasm_u16x8_shr(words, 8)}; }
    v128_t sum = wasm_i32x4_splat(0);
    void add(const Codes& codes, const Act& x) {
      const v128_t even = wasm_i32x4_dot_i16x8(codes.even, x.even);
      const v128_t odd = wasm_i32x4_dot_i16x8(codes.odd, x.odd);
      sum = wasm_i32x4_add(sum, wasm_i32x4_add(even, odd));
    }
    [[nodiscard]] Floats floats() const { return wasm_f32x4_convert_i32x4(sum); }
  };
  using WideOnce = Wide;
  using Narrow = Wide;
};

#if defined(__wasm_relaxed_simd__)
struct RelaxedSimd : Simd128 {
  static Floats multiply_add(Floats a, Floats b, Floats c) { return wasm_f32x4_relaxed_madd(a, b, c); }

  // Codes below 128 are what makes the relaxed instruction the same everywhere.
  struct Narrow {
    using Act = v128_t;
    using Codes = v128_t;
    static Codes codes(Words words) { return words; }
    static Act act(const std::int8_t* from) { return wasm_v128_load32_splat(from); }
    v128_t sum = wasm_i16x8_splat(0);
    void add(Words codes, Act x) { sum = wasm_i16x8_add(sum, wasm_i16x8_relaxed_dot_i8x16_i7x16(x, codes)); }
    [[nodiscard]] Floats floats() const {
      return wasm_f32x4_convert_i32x4(wasm_i32x4_dot_i16x8(sum, wasm_i16x8_splat(1)));
    }
  };

  // A code of 8 bits as two of 4: fewer registers than even and odd bytes, but more to do for each further row of x.
  struct WideOnce {
    struct Nibbles {
      v128_t low, high;
    };
    using Act = v128_t;
    using Codes = Nibbles;
    static Act act(const std::int8_t* from) { return wasm_v128_load32_splat(from); }
    static Codes codes(Words words) { return {mask(words, 0x0F0F0F0FU), mask(wasm_u32x4_shr(words, 4), 0x0F0F0F0FU)}; }
    v128_t low = wasm_i16x8_splat(0);
    v128_t high = wasm_i16x8_splat(0);
    void add(const Codes& codes, Act x) {
      low = wasm_i16x8_add(low, wasm_i16x8_relaxed_dot_i8x16_i7x16(x, codes.low));
      high = wasm_i16x8_add(high, wasm_i16x8_relaxed_dot_i8x16_i7x16(x, codes.high));
    }
    [[nodiscard]] Floats floats() const {
      return wasm_f32x4_convert_i32x4(wasm_i32x4_add(wasm_i32x4_dot_i16x8(low, wasm_i16x8_splat(1)),
                                                     wasm_i32x4_dot_i16x8(high, wasm_i16x8_splat(16))));
    }
  };
};
#endif

}  // namespace shoal::kernels
