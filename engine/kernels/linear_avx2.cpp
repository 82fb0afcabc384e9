#include "engine/kernels/linear_f32.hpp"
#include "engine/kernels/linear_int8.hpp"

namespace shoal::kernels {

void linear_avx2(const LinearCall& call) {
  return call.int8 != nullptr ? linear_int8<Avx2>(call) : LinearF32<Avx2>::run(call);
}

}  // namespace shoal::kernels
