#include "tests/bench/engine/roofline_tier.hpp"

namespace shoal::bench {

const RooflineLoops kRooflineAvx512 = loops_of<kernels::Avx512>();

}  // namespace shoal::bench
