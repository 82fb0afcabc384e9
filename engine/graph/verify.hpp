// The gate before a plan runs: accepts exactly the plans that executors can run without looking at them again. Every
// tensor is of its declared shape, made before it is read, made once; views lie within what they view; buffers hold
// what is still needed; layers cover the operations; weights lie within the shards, where there are any. What depends
// on a step's numbers (ids within tables, lengths within the state) is checked by the executor in each step.
#pragma once

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"

namespace shoal::graph {

inline constexpr std::size_t kMaxTensors = 1U << 18;
inline constexpr std::size_t kMaxOps = 1U << 18;
inline constexpr std::size_t kMaxSignatures = 16;
inline constexpr std::uint32_t kMaxExtent = 1U << 28;  // of one fixed dimension

// kGraphBuildingError names the tensor or the operation and what is wrong.
Status verify(const Plan& plan);

}  // namespace shoal::graph
