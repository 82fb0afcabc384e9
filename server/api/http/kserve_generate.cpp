#include "server/api/http/kserve_generate.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "server/api/http/errors.hpp"
#include "server/api/http/kserve_infer.hpp"
#include "server/api/http/offload.hpp"
#include "server/api/http/response_stream.hpp"
#include "server/api/kserve/generate_call.hpp"

namespace shoal::api::http {
namespace {

namespace asio = boost::asio;
using dispatch::InferenceResponse;

struct Running {
  models::ModelPtr model;
  std::string id;
  std::shared_ptr<ResponseStream> responses;
};

// `is_streamed`: what a model that generates text does where the request does not say it.
asio::awaitable<Result<Running>> start(Services& services, Exchange& exchange, bool is_streamed) {
  const Request& request = exchange.request;
  auto model = find_model(*services.models(), request);
  if (!model) {
    co_return fail(std::move(model.error()));
  }
  const auto parse_here = [&] {
    return kserve::parse_generate(**model, request.body, services.limits.infer_body_bytes);
  };
  auto parsed = request.body.size() > services.limits.json_offload_bytes ? co_await offload(services.cpu, parse_here)
                                                                         : parse_here();
  exchange.request.body = {};
  if (!parsed) {
    co_return fail(std::move(parsed.error()));
  }
  if ((*model)->generation) {
    parsed->call.parameters.try_emplace("stream", is_streamed);
  }
  auto made = kserve::make_request(*model, std::move(parsed->call), request.request_id, request.received);
  if (!made) {
    co_return fail(std::move(made.error()));
  }
  if (exchange.is_gone) {
    co_return fail(Code::kCancelled, "the client has gone");
  }
  Running running{
      .model = *model, .id = std::move(parsed->id), .responses = std::make_shared<ResponseStream>(services.inference)};
  running.responses->start(*std::move(made), (*model)->is_decoupled, exchange);
  co_return running;
}

asio::awaitable<Result<std::string>> write(Services& services, const Running& running,
                                           const InferenceResponse& response) {
  const auto write_here = [&] { return kserve::write_generate(*running.model, running.id, response); };
  if (total_bytes(response.outputs) > services.limits.json_offload_bytes) {
    co_return co_await offload(services.cpu, write_here);
  }
  co_return write_here();
}

std::string event(std::string_view data) {
  std::string text = "data: ";
  text += data;
  text += "\n\n";
  return text;
}

asio::awaitable<std::optional<std::string>> event_of(Services& services, const Running& running,
                                                     ResponseStream::Next next) {
  if (next && !*next) {
    co_return std::nullopt;
  }
  Result<std::string> text = next ? co_await write(services, running, **next) : fail(next.error());
  co_return event(text ? *text : error_response(ErrorStyle::kKserve, text.error()).body);
}

}  // namespace

asio::awaitable<Response> generate(Services& services, Exchange& exchange) {
  const auto running = co_await start(services, exchange, false);
  if (!running) {
    co_return error_response(ErrorStyle::kKserve, running.error());
  }
  const ResponseStream::Next first = co_await running->responses->next();
  if (!first) {
    co_return error_response(ErrorStyle::kKserve, first.error());
  }
  std::optional<ResponseStream::Next> second;
  if (*first) {
    second = co_await running->responses->next();
    if (!*second) {
      co_return error_response(ErrorStyle::kKserve, second->error());
    }
  }
  if (!second || **second) {
    co_return error_response(ErrorStyle::kKserve,
                             {Code::kInvalidArgument,
                              "generate expects model to produce exactly 1 response, use generate stream for model "
                              "that generates various number of responses",
                              {}});
  }
  const auto text = co_await write(services, *running, **first);
  if (!text) {
    co_return error_response(ErrorStyle::kKserve, text.error());
  }
  co_return Response{.content_type = "application/json", .headers = {}, .body = *text, .file = {}};
}

asio::awaitable<Response> generate_stream(Services& services, Exchange& exchange) {
  auto started = co_await start(services, exchange, true);
  if (!started) {
    co_return error_response(ErrorStyle::kKserve, started.error());
  }
  auto running = std::make_shared<Running>(*std::move(started));
  auto first = std::make_shared<std::optional<ResponseStream::Next>>(co_await running->responses->next());
  if (!**first) {
    co_return error_response(ErrorStyle::kKserve, (*first)->error());
  }
  Response response;
  response.content_type = "text/event-stream; charset=utf-8";
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.parts = [&services, running, first]() -> asio::awaitable<std::optional<std::string>> {
    if (auto waiting = std::exchange(*first, std::nullopt)) {
      co_return co_await event_of(services, *running, *std::move(waiting));
    }
    co_return co_await event_of(services, *running, co_await running->responses->next());
  };
  co_return response;
}

}  // namespace shoal::api::http
