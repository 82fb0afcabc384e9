#include "server/app/http_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdlib>

namespace shoal::app {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kMaxAnswerBytes = 64 * 1024 * 1024;

// Takes whole events off `text`. False: the reader wants no more.
bool take_events(std::string& text, const HttpCall::OnEvent& on_event) {
  for (std::size_t end = text.find("\n\n"); end != std::string::npos; end = text.find("\n\n")) {
    const std::string event = text.substr(0, end);
    text.erase(0, end + 2);
    constexpr std::string_view kData = "data: ";
    if (event.starts_with(kData) && !on_event(std::string_view(event).substr(kData.size()))) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<HttpCall> HttpCall::to(std::string_view server) {
  constexpr std::string_view kScheme = "http://";
  std::string_view rest = server;
  if (rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
  }
  while (rest.ends_with('/')) {
    rest.remove_suffix(1);
  }
  const std::size_t colon = rest.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  const bool is_port =
      !port.empty() && port != "0" && std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
  if (!is_port || colon == 0 || rest.find('/') != std::string_view::npos) {
    return fail(Code::kInvalidArgument, fmt::format("expected http://HOST:PORT, got '{}'", server), "url");
  }
  return HttpCall(std::string(rest.substr(0, colon)), std::string(port));
}

asio::awaitable<Result<HttpReply>> HttpCall::send(std::string method, std::string path, std::string body,
                                                  OnEvent on_event) const {
  const std::string host = host_;
  const std::string port = port_;
  const std::string address = address_;
  const auto unreachable = [&](const boost::system::error_code& error) {
    return fail(Code::kUnavailable, fmt::format("no server answers at {}: {}", address, error.message()));
  };
  http::request<http::string_body> request(http::string_to_verb(method), path, 11);
  request.set(http::field::host, address);
  request.set(http::field::connection, "close");
  if (const char* key = std::getenv("SHOAL_API_KEY"); key != nullptr && *key != '\0') {
    request.set(http::field::authorization, std::string("Bearer ") + key);
  }
  request.body() = std::move(body);
  request.prepare_payload();
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(executor);
  const auto [resolve_error, endpoints] = co_await resolver.async_resolve(host, port, kAwaitTuple);
  if (resolve_error) {
    co_return unreachable(resolve_error);
  }
  asio::ip::tcp::socket socket(executor);
  const auto [connect_error, endpoint] = co_await asio::async_connect(socket, endpoints, kAwaitTuple);
  if (connect_error) {
    co_return unreachable(connect_error);
  }
  const auto [write_error, written] = co_await http::async_write(socket, request, kAwaitTuple);
  if (write_error) {
    co_return unreachable(write_error);
  }
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswerBytes);
  const auto [head_error, head] = co_await http::async_read_header(socket, buffer, parser, kAwaitTuple);
  if (head_error) {
    co_return unreachable(head_error);
  }
  HttpReply reply{.status = parser.get().result_int(), .body = {}};
  const bool is_stream =
      on_event && std::string_view(parser.get()[http::field::content_type]).starts_with("text/event-stream");
  std::string& text = parser.get().body();
  bool is_wanted = true;
  while (!parser.is_done() && is_wanted) {
    const auto [error, read] = co_await http::async_read_some(socket, buffer, parser, kAwaitTuple);
    if (error) {
      co_return unreachable(error);
    }
    is_wanted = !is_stream || take_events(text, on_event);
  }
  reply.body = std::move(text);
  co_return reply;
}

}  // namespace shoal::app
