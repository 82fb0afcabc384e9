// Where the weights of a plan lie in the files of its package. A plan has shards or it has none; with shards, every
// weight has a place in one of them.
#pragma once

#include <cstdint>

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"

namespace shoal::graph {

inline constexpr std::size_t kMaxShards = 1U << 16;
inline constexpr std::uint64_t kMaxShardBytes = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kPlaceAlignment = 64;

// Bytes of a weight where it is stored: a matrix in its format's layout, a vector as floats, whatever its format says.
// kInvalidArgument for a matrix that its format does not hold. Requires: a weight of fixed rank 1 or 2.
Result<std::uint64_t> stored_bytes(const Tensor& weight);

// kGraphBuildingError names the shard or the weight at fault. Requires: the tensors' shapes are checked.
Status check_places(const Plan& plan);

}  // namespace shoal::graph
