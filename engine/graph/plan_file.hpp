// A plan as a file and back: the FlatBuffer of plan.fbs. Reading trusts nothing: the buffer's own structure is checked,
// then every enum, then the plan as a whole by verify().
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/bytes.hpp"
#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"

namespace shoal::graph {

inline constexpr std::uint32_t kPlanVersion = 1;
inline constexpr std::size_t kMaxPlanBytes = std::size_t{256} << 20;

std::vector<std::uint8_t> write_plan(const Plan& plan);

// kInvalidArgument when the bytes are no plan of this version, kGraphBuildingError when the plan is not well-formed.
Result<Plan> read_plan(Bytes file);

}  // namespace shoal::graph
