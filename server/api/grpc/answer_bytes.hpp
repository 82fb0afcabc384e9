// ModelInferResponse as it goes over the wire, written without the message: its map of parameters alone would cost more
// than the queue, the scheduler and the statistics together. Pure; any thread.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <optional>
#include <string>

#include "server/dispatch/inference.hpp"
#include "server/models/model.hpp"

namespace shoal::api::grpc {

// What fill_answer() and protobuf would make; large tensors are moved, not copied. Nothing where that is more than a
// message can be.
std::optional<::grpc::ByteBuffer> answer_bytes(const models::ModelVersion& model, const std::string& id,
                                               dispatch::InferenceResponse response);

}  // namespace shoal::api::grpc
