// Triton's shared memory extensions over REST, which are not offered: a client is told so, as over gRPC, and not that
// there is no such path.
#include <string>

#include "server/api/http/errors.hpp"
#include "server/api/http/routes.hpp"

namespace shoal::api::http {
namespace {

boost::asio::awaitable<Response> not_offered(Exchange&) {
  co_return error_response(ErrorStyle::kKserve,
                           {Code::kOperatorNotSupported, "shared memory is not offered: the workers are browsers", {}});
}

}  // namespace

void add_shared_memory_routes(Router& router, Services& services) {
  for (const std::string kind : {"/v2/systemsharedmemory", "/v2/cudasharedmemory"}) {
    const auto add = [&](std::string_view method, const std::string& path) {
      router.add(method, kind + path,
                 {.handler = not_offered,
                  .body_limit = services.limits.control_body_bytes,
                  .errors = ErrorStyle::kKserve,
                  .guarded = false,
                  .scope = auth::Scope::kInfer});
    };
    add("GET", "/status");
    add("POST", "/unregister");
    add("GET", "/region/{region}/status");
    add("POST", "/region/{region}/register");
    add("POST", "/region/{region}/unregister");
  }
}

}  // namespace shoal::api::http
