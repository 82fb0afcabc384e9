#include "server/api/http/session.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "server/api/http/body_refusals.hpp"
#include "server/api/http/called_back.hpp"
#include "server/api/http/coded_body.hpp"
#include "server/api/http/file_body.hpp"
#include "server/api/http/session_incoming.hpp"
#include "server/core/ids.hpp"

namespace shoal::api::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using beast::http::field;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 8192;
constexpr std::size_t kTraceparentBytes = 55;  // W3C Trace Context, version 00

std::string lower(beast::string_view text) {
  std::string out(text.data(), text.size());
  for (char& character : out) {
    character = character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
  }
  return out;
}

std::string_view route_class(std::string_view path) {
  return path.starts_with("/v2")      ? "kserve"
         : path.starts_with("/v1")    ? "openai"
         : path.starts_with("/agent") ? "agent"
         : path.starts_with("/admin") ? "admin"
                                      : "other";
}

}  // namespace

Session::Session(asio::ip::tcp::socket socket, SessionContext& context, std::string peer)
    : stream_(std::move(socket)), context_(context), peer_(std::move(peer)) {}

void Session::cut() {
  client_gone();
  beast::error_code ignored;
  stream_.socket().close(ignored);
}

void Session::finish() {
  if (is_idle_) {
    cut();
  }
}

void Session::client_gone() {
  is_gone_ = true;
  if (running_ == nullptr) {
    return;
  }
  running_->is_gone = true;
  if (const auto tell = std::exchange(running_->on_disconnect, nullptr)) {
    tell();
  }
}

// One read is under way while a request is handled: it gives the first bytes of the next one, or tells that the client
// has gone. It is not ended with the handler.
void Session::read_ahead() {
  if (is_reading_ahead_ || has_ended_ || buffer_.size() > 0) {
    return;
  }
  is_reading_ahead_ = true;
  stream_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](beast::error_code error, std::size_t count) {
                            self->is_reading_ahead_ = false;
                            self->buffer_.commit(count);
                            self->has_ended_ = static_cast<bool>(error);
                            if (error && self->running_ != nullptr) {
                              self->client_gone();
                            }
                            if (const auto done = std::exchange(self->ahead_done_, nullptr)) {
                              done();
                            }
                          });
}

asio::awaitable<void> Session::run() {
  beast::error_code ignored;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  while (!is_gone_ && co_await serve_one()) {
  }
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_.socket().close(ignored);
}

// Until the first byte of a request is there.
asio::awaitable<bool> Session::wait_for_request() {
  if (buffer_.size() > 0) {
    co_return true;
  }
  if (context_.draining && !is_first_) {
    co_return false;
  }
  const Limits& limits = context_.options.limits;
  stream_.expires_after(is_first_ ? limits.header_timeout : limits.idle_timeout);
  is_idle_ = true;
  read_ahead();
  if (is_reading_ahead_) {
    co_await called_back<void>([this](auto done) { ahead_done_ = std::move(done); });
  }
  is_idle_ = false;
  co_return !has_ended_;
}

asio::awaitable<bool> Session::serve_one() {
  if (!co_await wait_for_request()) {
    co_return false;
  }
  is_first_ = false;
  const Limits& limits = context_.options.limits;
  Incoming incoming;
  incoming.exchange.request.received = Clock::now();
  incoming.exchange.request.request_id = uuid_v7();
  incoming.parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
  incoming.parser.body_limit(boost::none);
  stream_.expires_after(limits.header_timeout);
  const auto [error, count] = co_await beast::http::async_read_header(stream_, buffer_, incoming.parser, kNoThrow);
  if (error) {
    // A category of Beast's: the bytes are at fault and there is somebody to tell. Everything else: they have gone.
    if (error.category() == beast::http::make_error_code(beast::http::error::bad_method).category() &&
        error != beast::http::error::end_of_stream && error != beast::http::error::partial_message) {
      const bool is_long = error == beast::http::error::header_limit || error == beast::http::error::buffer_overflow;
      Response response =
          error_response(ErrorStyle::kKserve, is_long ? 431 : 400,
                         argument(is_long ? fmt::format("the header is longer than {} bytes", limits.header_bytes)
                                          : fmt::format("the request is not HTTP: {}", error.message())));
      response.close = true;
      co_await write(incoming, std::move(response));
    }
    co_return false;
  }
  Request& request = incoming.exchange.request;
  const std::string_view target = as_view(incoming.header().target());
  request.method = std::string(as_view(incoming.header().method_string()));
  request.path = target.substr(0, target.find('?'));
  request.query = target.size() > request.path.size() ? target.substr(request.path.size() + 1) : std::string_view{};
  incoming.keep_alive = incoming.header().keep_alive();
  incoming.match = context_.router.match(request.method, request.path);
  request.captures = std::move(incoming.match.captures);

  Response response;
  if (refuse_early(incoming, response)) {
    // An unread body would be taken for the next request.
    response.close = !incoming.parser.is_done();
    co_return co_await write(incoming, std::move(response));
  }
  if (request.path == kAgentSocket) {
    net::UpgradeRequest upgrade(std::move(incoming.parser.release().base()));
    stream_.expires_never();
    is_gone_ = true;
    context_.options.upgrade(stream_.release_socket(), std::move(upgrade), std::move(peer_));
    co_return false;
  }
  if (!co_await read_body(incoming, response)) {
    if (response.status != 0) {
      response.close = true;
      co_await write(incoming, std::move(response));
    }
    co_return false;
  }
  response = co_await handle(incoming);
  if (const Coding coding = answer_coding(response, request.header("accept-encoding")); coding != Coding::kIdentity) {
    co_await compress_answer(response, coding, context_.cpu);
  }
  if (is_gone_) {
    co_return false;
  }
  co_return co_await write(incoming, std::move(response));
}

// False with a refusal, or with status 0 when there is nobody left to refuse.
asio::awaitable<bool> Session::read_body(Incoming& incoming, Response& refusal) {
  const Limits& limits = context_.options.limits;
  const std::size_t body_limit = incoming.match.route->body_limit;
  const auto& header = incoming.header();
  refusal.status = 0;
  if (!incoming.parser.is_done()) {
    // Without a length it may become as large as it may be.
    const std::size_t size = incoming.parser.content_length().value_or(body_limit);
    if (!incoming.held.hold(context_.held_bytes, size, limits.held_bytes)) {
      refusal = bodies_too_many(incoming.match.errors);
      co_return false;
    }
    incoming.parser.body_limit(body_limit);
    auto count_chunk = [&](std::uint64_t size, beast::string_view, beast::error_code& error) {
      error = {};
      incoming.chunk_count += size > 0 ? 1 : 0;
      if (incoming.chunk_count > limits.body_chunks) {
        error = beast::http::error::bad_chunk;
      }
    };
    incoming.parser.on_chunk_header(count_chunk);
    stream_.expires_after(limits.body_timeout);
    if (beast::iequals(header[field::expect], "100-continue") && buffer_.size() == 0) {
      constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto [error, count] = co_await asio::async_write(stream_, asio::buffer(kContinue), kNoThrow);
      if (error) {
        co_return false;
      }
    }
    const auto [error, count] = co_await beast::http::async_read(stream_, buffer_, incoming.parser, kNoThrow);
    if (error) {
      const ErrorStyle style = incoming.match.errors;
      if (error == beast::http::error::body_limit) {
        refusal = body_too_large(
            style, fmt::format("the body exceeds the maximum allowed input size of {} bytes", body_limit));
      } else if (incoming.chunk_count > limits.body_chunks) {
        refusal =
            error_response(style, 400, argument(fmt::format("the body has more than {} chunks", limits.body_chunks)));
      } else if (stream_.has_expired()) {
        refusal = error_response(style, 408, argument("the body did not arrive in time"));
      } else if (error.category() == beast::http::make_error_code(beast::http::error::bad_method).category() &&
                 error != beast::http::error::partial_message && error != beast::http::error::end_of_stream) {
        refusal = error_response(style, 400, argument(fmt::format("the body is not HTTP: {}", error.message())));
      }
      co_return false;
    }
  }
  Request& request = incoming.exchange.request;
  request.headers.reserve(8);
  for (const auto& header_field : header) {
    request.headers.emplace_back(lower(header_field.name_string()), std::string(as_view(header_field.value())));
  }
  request.body = std::move(incoming.parser.get().body());
  request.received = Clock::now();  // a client's slow sending is not our time
  if (incoming.coding == Coding::kIdentity || request.body.empty()) {
    co_return true;
  }
  auto damaged = co_await inflate_body(request.body, incoming.coding, {body_limit, limits.held_bytes}, incoming.held,
                                       incoming.match.errors, context_.cpu);
  if (damaged) {
    refusal = *std::move(damaged);
  }
  co_return refusal.status == 0;
}

asio::awaitable<Response> Session::handle(Incoming& incoming) {
  stream_.expires_never();
  Exchange& exchange = incoming.exchange;
  begin_handling(incoming);
  Response response;
  // The one place where a handler's exception ends: what it throws is a bug or bad_alloc.
  try {
    response = co_await incoming.match.route->handler(exchange);
  } catch (const std::exception& failure) {
    context_.log.error(
        "http_handler_failed",
        {{"path", exchange.request.path}, {"request_id", exchange.request.request_id}, {"what", failure.what()}});
    response = error_response(incoming.match.errors, {Code::kInternal, "internal error", {}});
  }
  end_handling();
  co_return response;
}

void Session::begin_handling(Incoming& incoming) {
  running_ = &incoming.exchange;
  // Others are answered at once.
  if (incoming.header().method() == beast::http::verb::post) {
    read_ahead();
  }
  if (has_ended_) {
    client_gone();
  }
}

void Session::end_handling() { running_ = nullptr; }

asio::awaitable<bool> Session::write(Incoming& incoming, Response response) {
  const Request& request = incoming.exchange.request;
  const bool is_old = incoming.header().version() == 10;
  // There is no other way to tell an old client where parts end.
  const bool keep_alive = incoming.keep_alive && !response.close && !context_.draining && !(response.parts && is_old);
  beast::http::response<beast::http::string_body> message;
  message.version(is_old ? 10 : 11);
  message.result(response.status);
  message.keep_alive(keep_alive);
  message.set(field::server, "shoal");
  message.set("x-request-id", request.request_id);
  message.set("X-Content-Type-Options", "nosniff");
  if (!response.content_type.empty()) {
    message.set(field::content_type, response.content_type);
  }
  if (!incoming.shared_with.empty()) {
    context_.options.cors.open(response, incoming.shared_with);
  }
  for (const auto& [name, value] : response.headers) {
    message.insert(name, value);
  }
  if (response.parts) {
    message.chunked(!is_old);
  } else if (message.result() != beast::http::status::no_content) {
    message.content_length(response.file ? response.file->length : response.body.size());
  }
  if (context_.options.metrics != nullptr) {
    context_.options.metrics->http_answered(route_class(request.path), response.status);
  }
  if (context_.log.enabled(LogLevel::kDebug)) {
    context_.log.debug("http", {{"method", request.method},
                                {"path", request.path},
                                {"status", response.status},
                                {"us", microseconds_between(request.received, Clock::now())},
                                {"request_id", request.request_id},
                                {"traceparent", request.header("traceparent").substr(0, kTraceparentBytes)}});
  }
  stream_.expires_after(context_.options.limits.write_timeout);
  if (response.file || response.parts || incoming.is_head()) {
    beast::http::response<beast::http::empty_body> head(std::move(message.base()));
    beast::http::response_serializer<beast::http::empty_body> serializer(head);
    const auto [error, count] = co_await beast::http::async_write_header(stream_, serializer, kNoThrow);
    if (error || (response.file && !incoming.is_head() &&
                  !co_await write_file(stream_, context_.cpu, std::move(*response.file),
                                       context_.options.limits.write_timeout))) {
      co_return false;
    }
    if (response.parts && !co_await write_parts(incoming, std::move(response.parts))) {
      co_return false;
    }
    co_return keep_alive;
  }
  message.body() = std::move(response.body);
  const auto [error, count] = co_await beast::http::async_write(stream_, message, kNoThrow);
  co_return !error && keep_alive;
}

}  // namespace shoal::api::http
