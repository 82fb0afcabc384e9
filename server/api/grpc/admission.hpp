// Whether a call's key lets it in. Main lane.
#pragma once

#include "engine/core/result.hpp"
#include "server/api/grpc/calls.hpp"
#include "server/api/grpc/reactor.hpp"
#include "server/auth/key.hpp"

namespace shoal::api::grpc {

// By the metadata `authorization: Bearer KEY` or `x-api-key`. The errors are Gate's.
Status admit(const Calls& calls, const CallContext& context, auth::Scope scope);

}  // namespace shoal::api::grpc
