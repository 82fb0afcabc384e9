// What a model's configuration says of its queue and of joining requests: dynamic_batching of config.pbtxt, read
// strictly, and what holds without it. allow_timeout_override changes nothing: a request's own timeout is its deadline,
// from its arrival to its answer, and always holds. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/models/model.hpp"

namespace shoal::models {

// "high" is the first level, "low" the last one, "medium" the one in the middle. Nothing for other words.
std::optional<std::uint64_t> priority_of(std::string_view word, std::uint32_t levels);

// kInvalidArgument names the field. Requires: model.inputs, model.outputs, model.max_batch_size and model.embedding.
Result<SchedulingConfig> read_scheduling(const inference::ModelConfig& config, const ModelVersion& model);

}  // namespace shoal::models
