#include "engine/kernels/linear_f32.hpp"

namespace shoal::kernels {

void linear_avx512(const LinearCall& call) { LinearF32<Avx512>::run(call); }

}  // namespace shoal::kernels
