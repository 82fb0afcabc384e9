#include "engine/kernels/linear_f32.hpp"
#include "engine/kernels/linear_int8.hpp"

namespace shoal::kernels {

void linear_simd128(const LinearCall& call) {
  return call.int8 != nullptr ? linear_int8<Simd128>(call) : LinearF32<Simd128>::run(call);
}

}  // namespace shoal::kernels
