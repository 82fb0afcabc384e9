#include "server/api/openai/tokenize.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "server/api/http/errors.hpp"
#include "server/api/http/offload.hpp"
#include "server/api/openai/generating_model.hpp"
#include "server/api/openai/text_answers.hpp"
#include "server/text/tokenizer.hpp"
#include "server/wire/tokenize_json.hpp"

namespace shoal::api::openai {
namespace {

namespace asio = boost::asio;
using http::Exchange;
using http::Response;
using Json = nlohmann::ordered_json;

const text::Tokenizer* tokenizer_of(const models::ModelVersion& model) {
  if (model.generation) {
    return model.generation->tokenizer.get();
  }
  return model.embedding ? model.embedding->tokenizer.get() : nullptr;
}

// An empty name is the only model that generates.
Result<models::ModelPtr> find_tokenizing_model(const models::Snapshot& snapshot, const std::string& name) {
  if (!name.empty()) {
    auto model = find_any_model(snapshot, name);
    if (model && tokenizer_of(**model) == nullptr) {
      return fail(Code::kInvalidArgument, fmt::format("The model '{}' has no tokenizer", name), "model");
    }
    return model;
  }
  models::ModelPtr only;
  for (const auto& [one, versions] : snapshot.models) {
    const auto model = snapshot.find(one);
    if (model && (*model)->generation && (*model)->generation->tokenizer != nullptr) {
      if (only != nullptr) {
        return fail(Code::kInvalidArgument, "'model' is missing, and several models generate text", "model");
      }
      only = *model;
    }
  }
  return only == nullptr ? fail(Code::kInvalidArgument, "'model' is missing", "model")
                         : Result<models::ModelPtr>(std::move(only));
}

std::string dumped(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

Result<std::string> tokenized(const models::Snapshot& snapshot, std::string_view request) {
  auto body = wire::parse_tokenize(request);
  if (!body) {
    return fail(std::move(body.error()));
  }
  const auto model = find_tokenizing_model(snapshot, body->model);
  if (!model) {
    return fail(model.error());
  }
  if (!body->prompt && !(*model)->generation) {
    return fail(Code::kInvalidArgument, fmt::format("The model '{}' takes no messages", (*model)->name), "messages");
  }
  const bool is_chat = !body->prompt;
  auto text = is_chat ? chat_text(**model, {.messages = body->messages,
                                            .tools = std::move(body->tools),
                                            .variables = std::move(body->template_variables),
                                            .adds_generation_prompt = body->adds_generation_prompt})
                      : std::move(*body->prompt);
  if (!text) {
    return fail(std::move(text.error()));
  }
  const text::Tokenizer& tokenizer = *tokenizer_of(**model);
  // A template writes the special tokens itself.
  const auto tokens = tokenizer.encode(*text, body->adds_special_tokens.value_or(!is_chat));
  if (!tokens) {
    return fail(tokens.error());
  }
  Json out = {{"count", tokens->ids.size()},
              {"max_model_len", (*model)->generation ? (*model)->generation->context : (*model)->embedding->max_tokens},
              {"tokens", tokens->ids},
              {"token_strs", nullptr}};
  if (body->wants_texts) {
    out["token_strs"] = Json::array();
    for (const std::uint32_t id : tokens->ids) {
      out["token_strs"].push_back(tokenizer.token_bytes(id).value_or(std::string()));
    }
  }
  return dumped(out);
}

Result<std::string> detokenized(const models::Snapshot& snapshot, std::string_view request) {
  const auto body = wire::parse_detokenize(request);
  if (!body) {
    return fail(body.error());
  }
  const auto model = find_tokenizing_model(snapshot, body->model);
  if (!model) {
    return fail(model.error());
  }
  const text::Tokenizer& tokenizer = *tokenizer_of(**model);
  const auto unknown = std::ranges::find_if(body->tokens, [&](auto id) { return id >= tokenizer.vocab_size(); });
  if (unknown != body->tokens.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("token id {} is outside the vocabulary of {} tokens", *unknown, tokenizer.vocab_size()),
                "tokens");
  }
  const auto text = tokenizer.decode(body->tokens, false);
  return text ? Result<std::string>(dumped({{"prompt", *text}})) : fail(text.error());
}

asio::awaitable<Response> answer(Services& services, Exchange& exchange,
                                 Result<std::string> (*make)(const models::Snapshot&, std::string_view)) {
  const models::SnapshotPtr snapshot = services.models();
  const auto make_here = [&] { return make(*snapshot, exchange.request.body); };
  auto made = exchange.request.body.size() > services.limits.text_offload_bytes
                  ? co_await http::offload(services.cpu, make_here)
                  : make_here();
  co_return made ? json_response(std::move(*made)) : error_response(http::ErrorStyle::kOpenai, made.error());
}

}  // namespace

asio::awaitable<Response> tokenize(Services& services, Exchange& exchange) {
  return answer(services, exchange, tokenized);
}

asio::awaitable<Response> detokenize(Services& services, Exchange& exchange) {
  return answer(services, exchange, detokenized);
}

}  // namespace shoal::api::openai
