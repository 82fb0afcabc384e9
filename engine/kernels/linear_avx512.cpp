#include "engine/kernels/linear_f32.hpp"
#include "engine/kernels/linear_int8.hpp"

namespace shoal::kernels {

void linear_avx512(const LinearCall& call) {
  return call.int8 != nullptr ? linear_int8<Avx512>(call) : LinearF32<Avx512>::run(call);
}

}  // namespace shoal::kernels
