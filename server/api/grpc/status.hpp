// Errors as gRPC says them: status code by server/core/error_table.hpp, the exact code in the trailer shoal-error-code.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "engine/core/result.hpp"
#include "server/api/grpc/reactor.hpp"

namespace shoal::api::grpc {

::grpc::Status to_grpc(const Error& error);

// The trailer x-request-id. Requires: the call has not finished.
void add_request_id(CallContext& context, const std::string& request_id);

// The status of a call that ends with `status`, after its trailers have been set. Requires: the call has not finished.
::grpc::Status finish_status(CallContext& context, const std::string& request_id, const Status& status);

}  // namespace shoal::api::grpc
