// ModelInferRequest to tensors and answers to ModelInferResponse. Pure; any thread.
#pragma once

#include <string>

#include "engine/core/result.hpp"
#include "inference/service.pb.h"
#include "server/api/kserve/infer_call.hpp"
#include "server/dispatch/inference.hpp"

namespace shoal::api::grpc {

// Raw contents are moved out of the request. Everything wrong is kInvalidArgument.
Result<kserve::InferCall> take_call(inference::ModelInferRequest& request);

// Raw contents are moved out of the response.
void fill_answer(const models::ModelVersion& model, const std::string& id, dispatch::InferenceResponse response,
                 inference::ModelInferResponse& answer);

}  // namespace shoal::api::grpc
