#include "server/api/http/kserve_settings.hpp"

#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "server/api/http/errors.hpp"
#include "server/api/http/kserve_infer.hpp"
#include "server/api/kserve/log_settings.hpp"
#include "server/api/kserve/trace_settings.hpp"
#include "server/core/log_level.hpp"

namespace shoal::api::http {
namespace {

namespace asio = boost::asio;

Response json_response(const nlohmann::json& document) {
  Response response;
  response.content_type = "application/json";
  response.body = document.dump();
  return response;
}

}  // namespace

asio::awaitable<Response> log_settings(Services& services, Exchange& exchange) {
  if (exchange.request.method == "POST") {
    const auto changes = kserve::read_log_settings(exchange.request.body);
    const Status status = changes ? kserve::change_log(services.log, *changes) : fail(changes.error());
    if (!status) {
      co_return error_response(ErrorStyle::kKserve, status.error());
    }
  }
  nlohmann::json document = nlohmann::json::object();
  for (const auto& [name, value] : kserve::log_settings(level_of(services.log))) {
    std::visit([&](const auto& one) { document[name] = one; }, value);
  }
  co_return json_response(document);
}

asio::awaitable<Response> trace_settings(Services& services, Exchange& exchange) {
  const Request& request = exchange.request;
  if (!request.captures.empty()) {
    if (const auto model = find_model(*services.models(), request); !model) {
      co_return error_response(ErrorStyle::kKserve, model.error());
    }
  }
  if (request.method == "POST") {
    const auto changes = kserve::read_trace_settings(request.body);
    const Status status = changes ? kserve::check_trace_settings(*changes) : fail(changes.error());
    if (!status) {
      co_return error_response(ErrorStyle::kKserve, status.error());
    }
  }
  co_return json_response(kserve::trace_settings());
}

}  // namespace shoal::api::http
