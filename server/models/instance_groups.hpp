// instance_group of a model that browsers run: how many workers serve it, and what for. Pure.
#pragma once

#include <cstdint>

#include "engine/core/result.hpp"
#include "server/models/model.hpp"

namespace shoal::models {

inline constexpr std::int32_t kMaxWorkers = 10'000;  // that a configuration can speak of

// The sum of the counts is the number of workers; a group that names none counts as one. KIND_CPU puts wasm first,
// KIND_GPU webgpu, where shoal_backend says nothing. kInvalidArgument names the field that is not served. Requires:
// model.backends are set.
Status apply_instance_groups(const inference::ModelConfig& config, ModelVersion& model);

}  // namespace shoal::models
