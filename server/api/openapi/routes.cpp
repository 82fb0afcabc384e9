#include "server/api/openapi/routes.hpp"

#include <string>

#include "server/api/admin/routes.hpp"
#include "server/api/openai/routes.hpp"
#include "server/api/openapi/document.hpp"

namespace shoal::api::openapi {
namespace {

namespace asio = boost::asio;

asio::awaitable<http::Response> describe(const std::string& text) {
  http::Response response;
  response.content_type = "application/json";
  response.body = text;
  co_return response;
}

}  // namespace

void add_routes(http::Router& router, Services& services, dispatch::ModelControl* control, admin::AdminService& admin) {
  http::add_kserve_routes(router, services);
  http::add_repository_routes(router, services, control);
  http::add_parallel_route(router, services);
  http::add_shared_memory_routes(router, services);
  openai::add_openai_routes(router, services);
  admin::add_admin_routes(router, services, admin);
  router.add("GET", "/openapi.json",
             {.handler = [text = document(services.version)](http::Exchange&) { return describe(text); },
              .body_limit = services.limits.control_body_bytes,
              .errors = http::ErrorStyle::kKserve,
              .guarded = false,
              .scope = auth::Scope::kInfer});
}

}  // namespace shoal::api::openapi
