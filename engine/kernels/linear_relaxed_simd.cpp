#include "engine/kernels/linear_f32.hpp"

namespace shoal::kernels {

void linear_relaxed_simd(const LinearCall& call) { LinearF32<RelaxedSimd>::run(call); }

}  // namespace shoal::kernels
