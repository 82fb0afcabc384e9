#include "engine/kernels/linear_f32.hpp"

namespace shoal::kernels {

void linear_simd128(const LinearCall& call) { LinearF32<Simd128>::run(call); }

}  // namespace shoal::kernels
