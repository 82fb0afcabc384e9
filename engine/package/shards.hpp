// How the weights of a plan are divided into files. Each storage format has files of its own, filled in the order of
// the plan, so that variants of one model which store the same tensors alike have the same files.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"

namespace shoal::package {

// A shard is closed once it has the first size, and holds at most the second unless a single weight is larger.
inline constexpr std::uint64_t kEnoughShardBytes = std::uint64_t{32} << 20;
inline constexpr std::uint64_t kMostShardBytes = std::uint64_t{64} << 20;

// Gives each weight its place and makes plan.shards, with their sizes and without names. Answers the weights of each
// shard in the order of their places. kInvalidArgument names a weight that its format does not hold, kResourceLimit one
// that is larger than a shard can be (graph::kMaxShardBytes).
Result<std::vector<std::vector<graph::TensorId>>> place_weights(graph::Plan& plan);

}  // namespace shoal::package
