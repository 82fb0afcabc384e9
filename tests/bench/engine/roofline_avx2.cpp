#include "tests/bench/engine/roofline_tier.hpp"

namespace shoal::bench {

const RooflineLoops kRooflineAvx2 = loops_of<kernels::Avx2>();

}  // namespace shoal::bench
