// What an operation makes of its operands: the shape of its output, or why the operands do not fit. The builder makes
// tensors by it and the verifier holds every tensor of a plan against it, so a shape has one source.
#pragma once

#include <optional>

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"

namespace shoal::graph {

// Shape of the output, nothing for an operation without one. kGraphBuildingError names the operation and the operand.
// Checks kinds, elements, ranks, extents and attributes of the operands; not whether they have been made yet.
Result<std::optional<Shape>> infer_output(const Plan& plan, const Op& op);

}  // namespace shoal::graph
