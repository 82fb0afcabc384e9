#include "engine/kernels/linear_f32.hpp"

namespace shoal::kernels {

void linear_avx2(const LinearCall& call) { LinearF32<Avx2>::run(call); }

}  // namespace shoal::kernels
