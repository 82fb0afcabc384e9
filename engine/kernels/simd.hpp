// The thin header over the vector instruction sets. A tier is a struct of static functions over its own vector types;
// kernels are templates over it, instantiated once in the file that is compiled for that tier. Lanes are rows of a
// tile, so a Words holds one u32 of each of kLanes rows. What a tier has:
//
//   kLanes                      lanes of a vector; 16 is a multiple of it
//   kRowsAtOnce                 rows of x for which the registers suffice at once, with f32 activations
//   kInt8RowsAtOnce, kWideRowsAtOnce      the same with int8 activations, for Narrow and for Wide sums
//   kInt8SumsAtOnce             sums (of a row of x and a vector of a tile) that stay in registers
//   Floats  load store splat add sub mul; multiply_add(a, b, c) = a * b + c, fused where the tier fuses
//   Words   load_words, widen (u8 or u16 to u32), mask, either (or), shift_left, shift_right, to_floats
//           low_half, high_half: the low and the high binary16 of each word as Floats
//   Narrow  a sum of products of codes below 16 and int8 activations, up to 32 of them: the fast one
//   Wide    the same for codes up to 255; WideOnce is the faster one where codes are used for one row of x only
//     act(from)  4 activations, in all lanes      codes(words)  unpacked codes in the shape that add() takes
//     add(codes, act)                             floats()      the whole-number sum of each lane
//
//   opaque(pointer)             the pointer; where an address costs an instruction (WASM), one that the compiler knows
//   nothing of, so that
//                               what is added to it stays an offset of the instruction
//
// Integer results are the same on every tier.
#pragma once

#if defined(__AVX2__)
#include "engine/kernels/simd_avx2.hpp"  // IWYU pragma: export
#endif
#if defined(__AVX512F__)
#include "engine/kernels/simd_avx512.hpp"  // IWYU pragma: export
#endif
#if defined(__wasm_simd128__)
#include "engine/kernels/simd_wasm.hpp"  // IWYU pragma: export
#endif
