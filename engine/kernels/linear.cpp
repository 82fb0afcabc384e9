#include "engine/kernels/linear.hpp"

#include "engine/kernels/linear_tiers.hpp"

namespace shoal::kernels {

void linear(const LinearCall& call, Tier tier) {
  switch (tier) {
#if defined(__x86_64__)
    case Tier::kAvx2:
      return linear_avx2(call);
    case Tier::kAvx512:
      return linear_avx512(call);
#endif
#if defined(__wasm_simd128__)
    case Tier::kSimd128:
      return linear_simd128(call);
#endif
#if defined(__wasm_relaxed_simd__)
    case Tier::kRelaxedSimd:
      return linear_relaxed_simd(call);
#endif
    default:
      return linear_reference(call);
  }
}

}  // namespace shoal::kernels
