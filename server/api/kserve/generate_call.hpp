// A call of the generate extension: a flat JSON object that becomes a KServe inference call by the model's inputs.
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/api/kserve/infer_call.hpp"
#include "server/models/model.hpp"

namespace shoal::api::kserve {

struct GenerateCall {
  std::string id;
  InferCall call;
};

// Tensors get the model's shape, a batch of one, with its one open dimension taken from the number of elements.
// kInvalidArgument naming the tensor or the parameter, also where JSON could not say the model's outputs (FP16, BF16).
Result<GenerateCall> parse_generate(const models::ModelVersion& model, std::string_view body,
                                    std::size_t max_tensor_bytes);

// What a client is told of one response: a JSON object.
Result<std::string> write_generate(const models::ModelVersion& model, std::string_view id,
                                   const dispatch::InferenceResponse& response);

}  // namespace shoal::api::kserve
