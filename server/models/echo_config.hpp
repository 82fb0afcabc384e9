// The configuration of a model of the echo backend (`backend: "echo"`), which has no graph: its inputs and outputs are
// those that config.pbtxt lists. Pure.
#pragma once

#include "engine/core/result.hpp"
#include "server/models/model.hpp"
#include "server/models/model_config.hpp"
#include "server/models/onnx_signature.hpp"

namespace shoal::models {

inline constexpr std::string_view kEchoBackend = "echo";
inline constexpr std::string_view kEchoPlatform = "shoal_echo";

bool is_echo(const inference::ModelConfig& config);

// The tensors as configured, the batch dimension included. kInvalidArgument: an input without a name, a type or
// dimensions, or a name given twice.
Result<GraphSignature> echo_signature(const inference::ModelConfig& config);

// What it does: each output gives back the input of the same name, else the one at its place, which must have its type
// and dimensions. Keys: parameters echo_delay_us and echo_delay_per_row_us, instance_group.count. kInvalidArgument for
// what cannot be.
Result<Echo> read_echo(const inference::ModelConfig& config, const ModelVersion& model);

}  // namespace shoal::models
