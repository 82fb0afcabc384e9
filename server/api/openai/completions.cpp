#include "server/api/openai/completions.hpp"

#include <memory>
#include <utility>

#include "server/api/http/errors.hpp"
#include "server/api/http/offload.hpp"
#include "server/api/openai/completion_answer.hpp"
#include "server/api/openai/text_answers.hpp"
#include "server/api/openai/text_requests.hpp"
#include "server/core/ids.hpp"

namespace shoal::api::openai {
namespace {

namespace asio = boost::asio;
using http::ErrorStyle;
using http::Exchange;
using http::Response;

template <class Body>
using Make = Result<TextRequests> (*)(const models::Snapshot&, const http::Request&, Body);

template <class Body>
asio::awaitable<Response> complete(Services& services, Exchange& exchange, Result<Body> (*parse)(std::string_view),
                                   Make<Body> make, bool is_chat) {
  const models::SnapshotPtr snapshot = services.models();
  const auto prepare_here = [&]() -> Result<TextRequests> {
    auto body = parse(exchange.request.body);
    return body ? make(*snapshot, exchange.request, std::move(*body)) : fail(std::move(body.error()));
  };
  auto prepared = exchange.request.body.size() > services.limits.text_offload_bytes
                      ? co_await http::offload(services.cpu, prepare_here)
                      : prepare_here();
  exchange.request.body = {};
  if (!prepared) {
    co_return error_response(ErrorStyle::kOpenai, prepared.error());
  }
  const wire::CompletionOptions& options = prepared->options;
  auto writer = std::make_shared<CompletionAnswer>(
      CompletionAnswer::Head{.is_chat = is_chat,
                             .id = (is_chat ? "chatcmpl-" : "cmpl-") + uuid_v7(),
                             .created = unix_seconds(),
                             .model = prepared->model->name,
                             .wants_usage = options.wants_usage,
                             .wants_token_ids = options.wants_token_ids,
                             .tokenizer = options.wants_logprobs ? prepared->model->generation->tokenizer : nullptr,
                             .tool_style = prepared->tool_style},
      prepared->prompts, options.n, prepared->echoes);
  co_return co_await answer_text(services, exchange, std::move(prepared->requests), std::move(writer),
                                 options.is_streamed);
}

}  // namespace

asio::awaitable<Response> chat_completions(Services& services, Exchange& exchange) {
  return complete<wire::ChatBody>(services, exchange, wire::parse_chat, chat_requests, true);
}

asio::awaitable<Response> completions(Services& services, Exchange& exchange) {
  return complete<wire::CompletionBody>(services, exchange, wire::parse_completion, completion_requests, false);
}

}  // namespace shoal::api::openai
