#include "server/app/admin_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>

#include "server/net/deadline.hpp"

namespace shoal::app {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

using nlohmann::ordered_json;
using HttpRequest = http::request<http::string_body>;

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kMaxAnswerBytes = 64 * 1024 * 1024;

struct Answer {
  unsigned status = 0;
  std::string body;
};

asio::awaitable<Result<Answer>> exchange(std::string host, std::string port, HttpRequest request) {
  const auto executor = co_await asio::this_coro::executor;
  const auto unreachable = [&](const boost::system::error_code& error) {
    return fail(Code::kUnavailable, fmt::format("no server answers at {}:{}: {}", host, port, error.message()));
  };
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
  const auto [read_error, read] = co_await http::async_read(socket, buffer, parser, kAwaitTuple);
  if (read_error) {
    co_return unreachable(read_error);
  }
  co_return Answer{parser.get().result_int(), std::move(parser.get().body())};
}

Result<ordered_json> parse(const Answer& answer, const std::string& address) {
  ordered_json document = ordered_json::parse(answer.body, nullptr, false);
  if (answer.status == 200 && !document.is_discarded()) {
    return document;
  }
  if (document.is_object() && document.contains("error") && document["error"].is_string() &&
      document.contains("code")) {
    const auto name = std::ranges::find(kCodeNames, document.value("code", ""));
    return fail(name == kCodeNames.end() ? Code::kInternal : static_cast<Code>(name - kCodeNames.begin() + 1),
                document["error"].get<std::string>());
  }
  return fail(Code::kUnavailable,
              fmt::format("{} answered with status {}; is it a Shoal server?", address, answer.status));
}

}  // namespace

Result<AdminClient> AdminClient::to(std::string_view server) {
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
    return fail(Code::kInvalidArgument, fmt::format("--server: expected http://HOST:PORT, got '{}'", server),
                "--server");
  }
  return AdminClient(std::string(rest.substr(0, colon)), std::string(port));
}

Result<AdminClient> AdminClient::to_chosen(const std::string& server,
                                           const std::function<Result<std::string>()>& otherwise) {
  const Result<std::string> named = server.empty() ? otherwise() : Result<std::string>(server);
  return named ? to(*named) : fail(named.error());
}

Result<ordered_json> AdminClient::send(const char* method, const std::string& path, const std::string& body,
                                       Duration patience) const {
  HttpRequest request(http::string_to_verb(method), path, 11);
  request.set(http::field::host, address_);
  request.set(http::field::connection, "close");
  if (const char* key = std::getenv("SHOAL_API_KEY"); key != nullptr && *key != '\0') {
    request.set(http::field::authorization, std::string("Bearer ") + key);
  }
  request.body() = body;
  request.prepare_payload();
  asio::io_context context(1);
  std::optional<Result<Answer>> answer;
  asio::co_spawn(context,
                 net::with_deadline(Clock::now() + patience, fmt::format("{} {}", method, path),
                                    exchange(host_, port_, std::move(request))),
                 [&](const std::exception_ptr& thrown, Result<Answer> result) {
                   answer = thrown ? Result<Answer>(fail(Code::kInternal, "the request failed")) : std::move(result);
                 });
  context.run();
  return *answer ? parse(**answer, address_) : Result<ordered_json>(fail(std::move(answer->error())));
}

}  // namespace shoal::app
