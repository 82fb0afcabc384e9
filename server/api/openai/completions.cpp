#include "server/api/openai/completions.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "server/api/http/errors.hpp"
#include "server/api/http/offload.hpp"
#include "server/api/openai/choice_stream.hpp"
#include "server/api/openai/completion_answer.hpp"
#include "server/api/openai/text_requests.hpp"
#include "server/core/ids.hpp"

namespace shoal::api::openai {
namespace {

namespace asio = boost::asio;
using http::ErrorStyle;
using http::Exchange;
using http::Response;

using Prepare = Result<TextRequests> (*)(const models::Snapshot& snapshot, const http::Request& request);

struct Running {
  CompletionAnswer answer;
  std::shared_ptr<ChoiceStream> stream;
  std::optional<ChoiceStream::Event> first = {};
  bool has_ended = false;
};

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The next part of a stream.
asio::awaitable<std::optional<std::string>> next_part(std::shared_ptr<Running> running) {
  while (!running->has_ended) {
    auto event = running->first ? std::exchange(running->first, std::nullopt) : co_await running->stream->next();
    if (!event) {
      running->has_ended = true;
      co_return running->answer.closing_events();
    }
    if (!event->response) {
      running->has_ended = true;
      running->stream->cancel();
      co_return "data: " + error_response(ErrorStyle::kOpenai, event->response.error()).body + "\n\n";
    }
    running->answer.add(event->choice, std::move(*event->response), event->is_last);
    std::string events = running->answer.events(event->choice);
    if (!events.empty()) {
      co_return events;
    }
  }
  co_return std::nullopt;
}

asio::awaitable<Response> complete(Services& services, Exchange& exchange, Prepare prepare, bool is_chat) {
  const models::SnapshotPtr snapshot = services.models();
  const auto prepare_here = [&] { return prepare(*snapshot, exchange.request); };
  auto prepared = exchange.request.body.size() > services.limits.text_offload_bytes
                      ? co_await http::offload(services.cpu, prepare_here)
                      : prepare_here();
  exchange.request.body = {};
  if (!prepared) {
    co_return error_response(ErrorStyle::kOpenai, prepared.error());
  }
  const wire::CompletionOptions options = std::move(prepared->options);
  auto running = std::make_shared<Running>(
      Running{.answer = CompletionAnswer({.is_chat = is_chat,
                                          .id = (is_chat ? "chatcmpl-" : "cmpl-") + uuid_v7(),
                                          .created = unix_seconds(),
                                          .model = prepared->model->name,
                                          .wants_usage = options.wants_usage,
                                          .wants_token_ids = options.wants_token_ids},
                                         prepared->prompts, options.n, std::move(prepared->echoes)),
              .stream = std::make_shared<ChoiceStream>(services.inference)});
  if (exchange.is_gone) {
    co_return error_response(ErrorStyle::kOpenai, {Code::kCancelled, "the client has gone", {}});
  }
  running->stream->start(std::move(prepared->requests), exchange);
  running->first = co_await running->stream->next();
  if (!running->first->response) {
    co_return error_response(ErrorStyle::kOpenai, running->first->response.error());
  }
  Response response;
  if (options.is_streamed) {
    response.content_type = "text/event-stream; charset=utf-8";
    response.headers.emplace_back("Cache-Control", "no-cache");
    response.parts = [running] { return next_part(running); };
    co_return response;
  }
  for (auto event = std::exchange(running->first, std::nullopt); event; event = co_await running->stream->next()) {
    if (!event->response) {
      co_return error_response(ErrorStyle::kOpenai, event->response.error());
    }
    running->answer.add(event->choice, std::move(*event->response), event->is_last);
  }
  response.content_type = "application/json";
  response.body = running->answer.whole();
  co_return response;
}

}  // namespace

asio::awaitable<Response> chat_completions(Services& services, Exchange& exchange) {
  return complete(services, exchange, chat_requests, true);
}

asio::awaitable<Response> completions(Services& services, Exchange& exchange) {
  return complete(services, exchange, completion_requests, false);
}

}  // namespace shoal::api::openai
