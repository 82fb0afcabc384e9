// The thin header over the vector instruction sets. A tier is a struct of static functions over its own vector types;
// kernels are templates over it, instantiated once in the file that is compiled for that tier. A word is one u32 of
// each of kLanes rows of a tile. Integer results are the same on every tier.
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
