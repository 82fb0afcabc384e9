// The routes of the model repository: what there is, and loading and unloading it.
#include <nlohmann/json.hpp>
#include <utility>

#include "server/api/http/called_back.hpp"
#include "server/api/http/routes.hpp"
#include "server/api/kserve/control_call.hpp"
#include "server/api/kserve/documents.hpp"
#include "server/dispatch/model_control.hpp"
#include "server/wire/json_reader.hpp"

namespace shoal::api::http {
namespace {

namespace asio = boost::asio;
using dispatch::ModelControl;

Result<bool> read_only_ready(std::string_view body) {
  bool only_ready = false;
  if (body.empty()) {
    return only_ready;
  }
  wire::JsonReader reader(body);
  if (reader.enter_object()) {
    while (auto key = reader.next_key()) {
      if (*key == "ready") {
        only_ready = reader.read_bool().value_or(false);
      } else {
        reader.skip_value();
      }
    }
  }
  if (Status status = reader.finish(); !status) {
    return fail(std::move(status.error()));
  }
  return only_ready;
}

asio::awaitable<Response> index(Services& services, ModelControl* control, Exchange& exchange) {
  const auto only_ready = read_only_ready(exchange.request.body);
  if (!only_ready) {
    co_return error_response(ErrorStyle::kKserve, only_ready.error());
  }
  if (control != nullptr) {
    co_await called_back<void>([control](auto done) { control->look(std::move(done)); });
  }
  const auto entries = kserve::repository_index(*services.models(), services.inference, *only_ready,
                                                control == nullptr ? dispatch::ControlView{} : control->view());
  Response response;
  response.content_type = "application/json";
  response.body = kserve::index_json(entries).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  co_return response;
}

// Triton's clients expect 200 and nothing else.
Response answer_of(const Status& status) {
  return status ? Response() : error_response(ErrorStyle::kKserve, status.error());
}

Response not_offered() {
  return error_response(ErrorStyle::kKserve, 501,
                        Error{Code::kInvalidArgument, "explicit model load / unload is not offered", {}});
}

asio::awaitable<Response> load(ModelControl* control, Exchange& exchange) {
  if (control == nullptr) {
    co_return not_offered();
  }
  const auto parameters = kserve::read_control_body(exchange.request.body);
  if (!parameters) {
    co_return error_response(ErrorStyle::kKserve, parameters.error());
  }
  auto request = kserve::load_request(std::string(exchange.request.capture("model")), *parameters);
  if (!request) {
    co_return error_response(ErrorStyle::kKserve, request.error());
  }
  co_return answer_of(
      co_await called_back<Status>([&](auto done) { control->load(*std::move(request), std::move(done)); }));
}

asio::awaitable<Response> unload(ModelControl* control, Exchange& exchange) {
  if (control == nullptr) {
    co_return not_offered();
  }
  const auto parameters = kserve::read_control_body(exchange.request.body);
  const Status checked = parameters ? kserve::check_unload(*parameters) : fail(parameters.error());
  if (!checked) {
    co_return error_response(ErrorStyle::kKserve, checked.error());
  }
  std::string model(exchange.request.capture("model"));
  co_return answer_of(
      co_await called_back<Status>([&](auto done) { control->unload(std::move(model), std::move(done)); }));
}

}  // namespace

void add_repository_routes(Router& router, Services& services, ModelControl* control) {
  const auto add = [&](std::string_view pattern, auth::Scope scope, Handler handler) {
    router.add("POST", pattern,
               {.handler = std::move(handler),
                .body_limit = services.limits.control_body_bytes,
                .errors = ErrorStyle::kKserve,
                .guarded = false,
                .scope = scope});
  };
  add("/v2/repository/index", auth::Scope::kInfer,
      [&services, control](Exchange& exchange) { return index(services, control, exchange); });
  add("/v2/repository/models/{model}/load", auth::Scope::kAdmin,
      [control](Exchange& exchange) { return load(control, exchange); });
  add("/v2/repository/models/{model}/unload", auth::Scope::kAdmin,
      [control](Exchange& exchange) { return unload(control, exchange); });
}

}  // namespace shoal::api::http
