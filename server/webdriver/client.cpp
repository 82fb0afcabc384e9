#include "server/webdriver/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <vector>

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

using Addresses = std::vector<asio::ip::tcp::endpoint>;

// An address is taken as it is: only a name needs the resolver, and with it a thread.
asio::awaitable<Result<Addresses>> addresses_of(Endpoint endpoint) {
  boost::system::error_code is_name;
  const asio::ip::address address = asio::ip::make_address(endpoint.host, is_name);
  if (!is_name) {
    co_return Addresses{{address, endpoint.port}};
  }
  asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
  const auto [error, found] =
      co_await resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), kAwaitTuple);
  if (error) {
    co_return unreachable("looking up", error);
  }
  co_return Addresses(found.begin(), found.end());
}

struct Answer {
  int status = 0;
  std::string body;
};

asio::awaitable<Result<Answer>> exchange(Endpoint endpoint, Command command) {
  const Result<Addresses> addresses = co_await addresses_of(endpoint);
  if (!addresses) {
    co_return fail(addresses.error());
  }
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  const auto [connect_error, peer] = co_await asio::async_connect(socket, *addresses, kAwaitTuple);
  if (connect_error) {
    co_return unreachable("connecting to", connect_error);
  }
  http::request<http::string_body> request(http::string_to_verb(command.method), endpoint.path + command.target, 11);
  request.set(http::field::host, authority_of(endpoint));
  request.set(http::field::connection, "close");
  request.set(http::field::accept, "application/json");
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
  co_return Answer{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

}  // namespace

asio::awaitable<Result<nlohmann::json>> Client::send(Command command, TimePoint deadline) const {
  std::string what = std::string(command.method) + " " + command.target;
  const auto answer = co_await net::with_deadline(deadline, std::move(what), exchange(endpoint_, std::move(command)));
  co_return answer ? parse_response(answer->status, answer->body) : fail(answer.error());
}

asio::awaitable<Result<std::string>> Client::fetch(Command command, TimePoint deadline) const {
  std::string what = std::string(command.method) + " " + command.target;
  auto answer = co_await net::with_deadline(deadline, std::move(what), exchange(endpoint_, std::move(command)));
  if (!answer) {
    co_return fail(std::move(answer.error()));
  }
  if (answer->status != 200) {
    co_return fail(Code::kUnavailable, "HTTP " + std::to_string(answer->status));
  }
  co_return std::move(answer->body);
}

}  // namespace shoal::webdriver
