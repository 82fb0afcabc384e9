#include <array>
#include <nlohmann/json.hpp>

#include "inference/model_config.pb.h"
#include "server/api/http/kserve_generate.hpp"
#include "server/api/http/kserve_infer.hpp"
#include "server/api/http/kserve_settings.hpp"
#include "server/api/http/routes.hpp"
#include "server/api/kserve/documents.hpp"

namespace shoal::api::http {
namespace {

namespace asio = boost::asio;

Response json_response(const nlohmann::ordered_json& document, unsigned status = 200) {
  Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return response;
}

// "ready": false with the reason, where an error alone would not say what was asked.
Response readiness(const Status& status) {
  if (status) {
    return json_response({{"ready", true}});
  }
  Response response = error_response(ErrorStyle::kKserve, 503, status.error());
  response.body.insert(1, R"("ready":false,)");
  return response;
}

asio::awaitable<Response> live(Services&, Exchange&) { co_return json_response({{"live", true}}); }

asio::awaitable<Response> ready(Services& services, Exchange&) {
  co_return readiness(services.inference.server_ready());
}

asio::awaitable<Response> server_metadata(Services& services, Exchange&) {
  co_return json_response(kserve::server_metadata_json(services.version));
}

asio::awaitable<Response> model_metadata(Services& services, Exchange& exchange) {
  const models::SnapshotPtr snapshot = services.models();
  const auto model = find_model(*snapshot, exchange.request);
  co_return model ? json_response(kserve::model_metadata_json(*snapshot, **model))
                  : error_response(ErrorStyle::kKserve, model.error());
}

asio::awaitable<Response> model_ready(Services& services, Exchange& exchange) {
  const auto model = find_model(*services.models(), exchange.request);
  if (!model) {
    co_return model.error().code == Code::kNotFound ? error_response(ErrorStyle::kKserve, model.error())
                                                    : readiness(fail(model.error()));
  }
  co_return readiness(services.inference.model_ready(**model));
}

asio::awaitable<Response> model_config(Services& services, Exchange& exchange) {
  const auto model = find_model(*services.models(), exchange.request);
  co_return model ? json_response(kserve::message_json(*(*model)->config))
                  : error_response(ErrorStyle::kKserve, model.error());
}

asio::awaitable<Response> statistics(Services& services, Exchange& exchange) {
  const Request& request = exchange.request;
  if (!request.captures.empty()) {
    if (const auto model = find_model(*services.models(), request); !model) {
      co_return error_response(ErrorStyle::kKserve, model.error());
    }
  }
  const auto entries = kserve::select_statistics(*services.models(), services.statistics(), request.capture("model"),
                                                 request.capture("version"));
  co_return entries ? json_response(kserve::statistics_json(*entries))
                    : error_response(ErrorStyle::kKserve, entries.error());
}

using Answer = asio::awaitable<Response> (*)(Services&, Exchange&);

}  // namespace

Result<models::ModelPtr> find_model(const models::Snapshot& snapshot, const Request& request) {
  const std::string_view version = request.capture("version");
  if (const auto number = models::parse_version(version); !number) {
    return fail(Code::kNotFound, "Not Found");
  }
  return snapshot.find(request.capture("model"), version);
}

void add_kserve_routes(Router& router, Services& services) {
  const auto add = [&](std::string_view method, std::string_view pattern, std::size_t body_limit, Answer answer,
                       auth::Scope scope = auth::Scope::kInfer) {
    router.add(method, pattern,
               {.handler = [&services, answer](Exchange& exchange) { return answer(services, exchange); },
                .body_limit = body_limit,
                .errors = ErrorStyle::kKserve,
                .guarded = false,
                .scope = scope});
  };
  const std::size_t small = services.limits.control_body_bytes;
  add("GET", "/v2", small, server_metadata);
  add("GET", "/v2/health/live", small, live, auth::Scope::kPublic);
  add("GET", "/v2/health/ready", small, ready, auth::Scope::kPublic);
  add("GET", "/v2/models/stats", small, statistics);
  for (const char* method : {"GET", "POST"}) {
    add(method, "/v2/logging", small, log_settings, auth::Scope::kAdmin);
    add(method, "/v2/trace/setting", small, trace_settings, auth::Scope::kAdmin);
    add(method, "/v2/models/{model}/trace/setting", small, trace_settings, auth::Scope::kAdmin);
  }
  for (const std::string model : {"/v2/models/{model}", "/v2/models/{model}/versions/{version}"}) {
    add("GET", model, small, model_metadata);
    add("GET", model + "/ready", small, model_ready);
    add("GET", model + "/config", small, model_config);
    add("GET", model + "/stats", small, statistics);
    add("POST", model + "/infer", services.limits.infer_body_bytes, infer);
    add("POST", model + "/generate", services.limits.infer_body_bytes, generate);
    add("POST", model + "/generate_stream", services.limits.infer_body_bytes, generate_stream);
  }
}

}  // namespace shoal::api::http
