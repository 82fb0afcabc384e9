// One function for each tier that linear() chooses from. Files of a tier are compiled with its instruction set, so
// nothing else may be defined in them.
#pragma once

#include "engine/kernels/linear.hpp"

namespace shoal::kernels {

void linear_reference(const LinearCall& call);
#if defined(__x86_64__)
void linear_avx2(const LinearCall& call);
void linear_avx512(const LinearCall& call);
#endif
#if defined(__wasm_simd128__)
void linear_simd128(const LinearCall& call);
#endif
#if defined(__wasm_relaxed_simd__)
void linear_relaxed_simd(const LinearCall& call);
#endif

}  // namespace shoal::kernels
