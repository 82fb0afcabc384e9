#include "server/api/grpc/admission.hpp"

#include <string_view>

#include "server/core/wall_clock.hpp"

namespace shoal::api::grpc {

Status admit(const Calls& calls, const CallContext& context, auth::Scope scope) {
  if (calls.gate == nullptr) {
    return {};
  }
  std::string_view sent;
  for (const char* name : {"x-api-key", "authorization"}) {
    if (const auto found = context.client_metadata().find(name); found != context.client_metadata().end()) {
      sent = {found->second.data(), found->second.size()};
    }
  }
  return calls.gate->admit(scope, sent, Clock::now(), wall_now());
}

}  // namespace shoal::api::grpc
