// POST /v2/parallel: several inferences as one call, each answered or failed on its own. Main lane; large JSON is read
// on the CPU pool.
#include <algorithm>
#include <optional>
#include <utility>

#include "server/api/http/errors.hpp"
#include "server/api/http/offload.hpp"
#include "server/api/http/routes.hpp"
#include "server/api/http/submit.hpp"
#include "server/api/kserve/infer_call.hpp"
#include "server/core/error_table.hpp"
#include "server/core/ids.hpp"
#include "server/wire/kserve_json.hpp"
#include "server/wire/parallel_json.hpp"

namespace shoal::api::http {
namespace {

namespace asio = boost::asio;

// One of them: where its answer goes, and how it is written.
struct Item {
  models::ModelPtr model;
  std::string id;
  kserve::Classes classes;
  Result<dispatch::InferenceRequest> request;  // an Error: it is not sent
};

std::string text_of(const Error& error) {
  std::string text = error_response(ErrorStyle::kKserve, error).body;
  text.insert(text.size() - 1, ",\"status\":" + std::to_string(error_row(error.code).kserve_http));
  return text;
}

std::string text_of(const Item& item, Result<dispatch::InferenceResponse>& answer) {
  if (!answer) {
    return text_of(answer.error());
  }
  if (const Status status = kserve::classify(*item.model, item.classes, answer->outputs); !status) {
    return text_of(status.error());
  }
  const std::string version = std::to_string(item.model->version);
  const auto encoded = wire::write_infer({.model = item.model->name,
                                          .version = version,
                                          .id = item.id,
                                          .parameters = kserve::answer_parameters(*answer),
                                          .outputs = answer->outputs,
                                          .binary = std::vector<bool>(answer->outputs.size(), false)});
  return encoded ? encoded->body : text_of(encoded.error());
}

Result<dispatch::InferenceRequest> read_item(const models::Snapshot& models, const wire::ParallelItem& text, Item& item,
                                             const Limits& limits, TimePoint received) {
  auto model = models.find(text.model, std::string_view(text.version));
  if (!model) {
    return fail(std::move(model.error()));
  }
  item.model = *std::move(model);
  auto body = wire::parse_infer(text.body, std::nullopt, limits.infer_body_bytes);
  if (!body) {
    return fail(std::move(body.error()));
  }
  item.id = std::move(body->id);
  kserve::InferCall call{
      .parameters = std::move(body->parameters), .inputs = std::move(body->inputs), .outputs = {}, .classes = {}};
  for (const wire::RequestedOutput& output : body->outputs) {
    if (body->binary_output || output.binary.value_or(false)) {
      return fail(Code::kInvalidArgument, "binary data cannot be asked for in a parallel call", "binary_data");
    }
    if (Status status = kserve::add_output(output, call); !status) {
      return fail(std::move(status.error()));
    }
  }
  item.classes = call.classes;
  return kserve::make_request(item.model, std::move(call), uuid_v7(), received);
}

Result<std::vector<Item>> read_all(const models::Snapshot& models, const Request& request, const Limits& limits) {
  const auto call = wire::parse_parallel(request.body);
  if (!call) {
    return fail(call.error());
  }
  std::vector<Item> items(call->items.size());
  for (std::size_t index = 0; index < items.size(); ++index) {
    items[index].request = read_item(models, call->items[index], items[index], limits, request.received);
    if (items[index].request && call->timeout) {
      TimePoint& deadline = items[index].request->deadline;
      deadline = std::min(deadline, request.received + *call->timeout);
    }
  }
  return items;
}

asio::awaitable<Response> parallel(Services& services, Exchange& exchange) {
  const models::SnapshotPtr models = services.models();
  const auto read_here = [&] { return read_all(*models, exchange.request, services.limits); };
  auto items = exchange.request.body.size() > services.limits.json_offload_bytes
                   ? co_await offload(services.cpu, read_here)
                   : read_here();
  exchange.request.body = {};
  if (!items) {
    co_return error_response(ErrorStyle::kKserve, items.error());
  }
  std::vector<dispatch::InferenceRequest> requests;
  for (Item& item : *items) {
    if (item.request) {
      requests.push_back(*std::move(item.request));
    }
  }
  auto answers = co_await submit_each(services.inference, std::move(requests), exchange);
  Response response;
  response.content_type = "application/json";
  response.body = co_await offload(services.cpu, [&] {
    std::string text = R"({"responses":[)";
    auto next = answers.begin();
    for (const Item& item : *items) {
      text +=
          (text.ends_with('[') ? "" : ",") + (item.request ? text_of(item, *next++) : text_of(item.request.error()));
    }
    return text + "]}";
  });
  co_return response;
}

}  // namespace

void add_parallel_route(Router& router, Services& services) {
  router.add("POST", "/v2/parallel",
             {.handler = [&services](Exchange& exchange) { return parallel(services, exchange); },
              .body_limit = services.limits.infer_body_bytes,
              .errors = ErrorStyle::kKserve,
              .guarded = false,
              .scope = auth::Scope::kInfer});
}

}  // namespace shoal::api::http
