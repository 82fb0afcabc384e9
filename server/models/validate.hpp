// Checks a request's tensors against a model's signature before anything is queued. Pure. Messages are Triton's where
// it has one, so that clients' tests of the wording keep working.
#pragma once

#include <span>
#include <string>

#include "server/core/tensor.hpp"
#include "server/models/model.hpp"

namespace shoal::models {

// Missing, extra, unknown or repeated inputs; datatype; rank and fixed dimensions; batch limits and agreement; byte
// count; unknown or repeated outputs. Everything wrong is kInvalidArgument with `param` = the tensor's name.
Status validate(const ModelVersion& model, std::span<const Tensor> inputs, std::span<const std::string> outputs);

// Rows that the request counts for in statistics and batching: the batch dimension, or 1 without one.
// Requires: validate() has accepted the inputs.
std::int64_t batch_size_of(const ModelVersion& model, std::span<const Tensor> inputs);

}  // namespace shoal::models
