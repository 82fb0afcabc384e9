#include "tests/bench/engine/roofline_tier.hpp"

namespace shoal::bench {

const RooflineLoops kRooflineRelaxedSimd = loops_of<kernels::RelaxedSimd>();

}  // namespace shoal::bench
