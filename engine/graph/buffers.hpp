// Memory of the values of a signature: values that do not live at the same time share a buffer. Extents are symbols, so
// a buffer is shared only by values with the same rows; its size follows from the extents of a step.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"

namespace shoal::graph {

inline constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

// Operations of one signature that make a value and that last read it, itself or a view of it. Outputs live to the end.
struct Lifetime {
  std::uint32_t made = kNever;
  std::uint32_t last_read = 0;
};

// By tensor; `made` is kNever for what is no value of this signature. A view has the lifetime of what it views.
std::vector<Lifetime> lifetimes(const Plan& plan, const Signature& signature);

// Whether the output may lie on top of operand `index` when nobody reads that operand later: the kernel reads each
// element of it before it writes the one in the same place.
bool may_overwrite(const Op& op, std::size_t index);

// Fills in Signature::buffers and Tensor::buffer of every signature.
void assign_buffers(Plan& plan);

// kGraphBuildingError when a value lies in no buffer, in one that is too small, or on top of one that is still needed.
Status check_buffers(const Plan& plan, const Signature& signature);

// Bytes of all buffers of the signature in a step of these extents.
std::uint64_t buffer_bytes(const Signature& signature, const Extents& extents);

}  // namespace shoal::graph
