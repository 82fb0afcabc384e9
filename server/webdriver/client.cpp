#include "server/webdriver/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "server/net/deadline.hpp"

namespace shoal::webdriver {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kMaxAnswerBytes = 4 * 1024 * 1024;

std::unexpected<Error> unreachable(std::string_view what, const boost::system::error_code& error) {
  return fail(Code::kUnavailable, std::string(what) + " the driver: " + error.message());
}

asio::awaitable<Result<nlohmann::json>> exchange(std::uint16_t port, Command command) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  const asio::ip::tcp::endpoint driver(asio::ip::address_v4::loopback(), port);
  const auto [connect_error] = co_await socket.async_connect(driver, kAwaitTuple);
  if (connect_error) {
    co_return unreachable("connecting to", connect_error);
  }
  http::request<http::string_body> request(http::string_to_verb(command.method), command.target, 11);
  request.set(http::field::host, "127.0.0.1:" + std::to_string(port));
  request.set(http::field::connection, "close");
  if (!command.body.empty()) {
    request.set(http::field::content_type, "application/json; charset=utf-8");
    request.body() = std::move(command.body);
  }
  request.prepare_payload();
  const auto [write_error, written] = co_await http::async_write(socket, request, kAwaitTuple);
  if (write_error) {
    co_return unreachable("writing to", write_error);
  }
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswerBytes);
  const auto [read_error, read] = co_await http::async_read(socket, buffer, parser, kAwaitTuple);
  if (read_error) {
    co_return unreachable("reading from", read_error);
  }
  co_return parse_response(static_cast<int>(parser.get().result_int()), parser.get().body());
}

}  // namespace

asio::awaitable<Result<nlohmann::json>> Client::send(Command command, TimePoint deadline) const {
  std::string what = std::string(command.method) + " " + command.target;
  co_return co_await net::with_deadline(deadline, std::move(what), exchange(port_, std::move(command)));
}

}  // namespace shoal::webdriver
