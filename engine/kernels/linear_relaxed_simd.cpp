#include "engine/kernels/linear_f32.hpp"
#include "engine/kernels/linear_int8.hpp"

namespace shoal::kernels {

void linear_relaxed_simd(const LinearCall& call) {
  return call.int8 != nullptr ? linear_int8<RelaxedSimd>(call) : LinearF32<RelaxedSimd>::run(call);
}

}  // namespace shoal::kernels
