#include "tests/bench/engine/roofline_tier.hpp"

namespace shoal::bench {

const RooflineLoops kRooflineSimd128 = loops_of<kernels::Simd128>();

}  // namespace shoal::bench
