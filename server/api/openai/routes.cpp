#include "server/api/openai/routes.hpp"

#include <chrono>
#include <filesystem>

#include "server/api/http/errors.hpp"
#include "server/api/openai/completions.hpp"
#include "server/api/openai/embeddings.hpp"
#include "server/api/openai/generating_model.hpp"
#include "server/api/openai/responses.hpp"
#include "server/api/openai/text_answers.hpp"
#include "server/api/openai/tokenize.hpp"
#include "server/wire/openai_json.hpp"

namespace shoal::api::openai {
namespace {

namespace asio = boost::asio;
using http::ErrorStyle;
using http::Exchange;
using http::Response;

// A model was made when its graph was written.
std::int64_t created(const models::ModelVersion& model) {
  std::error_code error;
  const auto written = std::filesystem::last_write_time(model.graph.path, error);
  if (error) {
    return 0;
  }
  const auto since = std::chrono::file_clock::to_sys(written).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

wire::ListedModel listed(const models::ModelVersion& model) {
  const bool generates = model.generation.has_value();
  return {.id = model.name,
          .created = created(model),
          .kind = generates && model.generation->chat_template != nullptr ? "chat"
                  : generates                                             ? "completion"
                  : model.embedding                                       ? "embedding"
                                                                          : "other",
          .context = generates ? model.generation->context : 0};
}

asio::awaitable<Response> list_models(Services& services, Exchange&) {
  const models::SnapshotPtr snapshot = services.models();
  std::vector<wire::ListedModel> all;
  for (const auto& [name, versions] : snapshot->models) {
    if (const auto model = snapshot->find(name)) {
      all.push_back(listed(**model));
    }
  }
  co_return json_response(wire::write_models(all));
}

asio::awaitable<Response> retrieve_model(Services& services, Exchange& exchange) {
  const models::SnapshotPtr snapshot = services.models();
  const auto model = find_any_model(*snapshot, std::string(exchange.request.capture("model")));
  if (!model) {
    co_return error_response(ErrorStyle::kOpenai, model.error());
  }
  co_return json_response(wire::write_model(listed(**model)));
}

}  // namespace

void add_openai_routes(http::Router& router, Services& services) {
  const auto add = [&](std::string_view method, std::string_view pattern, std::size_t body_limit,
                       asio::awaitable<Response> (*answer)(Services&, Exchange&)) {
    router.add(method, pattern,
               {.handler = [&services, answer](Exchange& exchange) { return answer(services, exchange); },
                .body_limit = body_limit,
                .errors = ErrorStyle::kOpenai,
                .guarded = false,
                .scope = auth::Scope::kInfer});
  };
  add("GET", "/v1/models", services.limits.control_body_bytes, list_models);
  add("GET", "/v1/models/{model}", services.limits.control_body_bytes, retrieve_model);
  add("POST", "/v1/embeddings", services.limits.embeddings_body_bytes, embeddings);
  add("POST", "/v1/chat/completions", services.limits.embeddings_body_bytes, chat_completions);
  add("POST", "/v1/completions", services.limits.embeddings_body_bytes, completions);
  add("POST", "/v1/responses", services.limits.embeddings_body_bytes, responses);
  add("POST", "/tokenize", services.limits.embeddings_body_bytes, tokenize);
  add("POST", "/detokenize", services.limits.embeddings_body_bytes, detokenize);
}

}  // namespace shoal::api::openai
