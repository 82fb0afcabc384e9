#include "server/api/openai/text_answers.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include "server/api/http/errors.hpp"
#include "server/api/openai/choice_stream.hpp"

namespace shoal::api::openai {
namespace {

namespace asio = boost::asio;
using http::ErrorStyle;
using http::Response;

struct Running {
  std::shared_ptr<AnswerWriter> writer;
  std::shared_ptr<ChoiceStream> stream;
  std::optional<ChoiceStream::Event> first = {};
  bool has_ended = false;
};

// The next part of a stream.
asio::awaitable<std::optional<std::string>> next_part(std::shared_ptr<Running> running) {
  while (!running->has_ended) {
    auto event = running->first ? std::exchange(running->first, std::nullopt) : co_await running->stream->next();
    if (!event) {
      running->has_ended = true;
      co_return running->writer->closing_events();
    }
    if (event->is_silence) {
      co_return ": ping\n\n";
    }
    if (!event->response) {
      running->has_ended = true;
      running->stream->cancel();
      co_return running->writer->error_events(event->response.error());
    }
    running->writer->add(event->choice, std::move(*event->response), event->is_last);
    std::string events = running->writer->events(event->choice);
    if (!events.empty()) {
      co_return events;
    }
  }
  co_return std::nullopt;
}

}  // namespace

asio::awaitable<Response> answer_text(Services& services, http::Exchange& exchange,
                                      std::vector<dispatch::InferenceRequest> requests,
                                      std::shared_ptr<AnswerWriter> writer, bool is_streamed) {
  if (exchange.is_gone) {
    co_return error_response(ErrorStyle::kOpenai, {Code::kCancelled, "the client has gone", {}});
  }
  auto running = std::make_shared<Running>(
      Running{.writer = std::move(writer), .stream = std::make_shared<ChoiceStream>(services.inference)});
  running->stream->start(std::move(requests), exchange);
  running->first = co_await running->stream->next();
  if (!running->first->response) {
    co_return error_response(ErrorStyle::kOpenai, running->first->response.error());
  }
  if (is_streamed) {
    running->stream->tell_silence(co_await asio::this_coro::executor, services.limits.stream_silence);
    Response response;
    response.content_type = "text/event-stream; charset=utf-8";
    response.headers.emplace_back("Cache-Control", "no-cache");
    response.parts = [running] { return next_part(running); };
    co_return response;
  }
  for (auto event = std::exchange(running->first, std::nullopt); event; event = co_await running->stream->next()) {
    if (!event->response) {
      co_return error_response(ErrorStyle::kOpenai, event->response.error());
    }
    running->writer->add(event->choice, std::move(*event->response), event->is_last);
  }
  co_return json_response(running->writer->whole());
}

Response json_response(std::string body) {
  Response response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace shoal::api::openai
