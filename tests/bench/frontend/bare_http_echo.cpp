// The baseline of the HTTP front end: Beast on one thread, every body sent back as it came, with the header that says
// where its tensors begin. Prints the port that it listens on; serves until it is killed.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <utility>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
// Beast reads as much at a time as the buffer has room for, and of itself that is 512 bytes.
constexpr std::size_t kReadBytes = std::size_t{64} << 10;
constexpr const char* kJsonSizeHeader = "Inference-Header-Content-Length";

asio::awaitable<void> serve(tcp::socket socket) {
  socket.set_option(tcp::no_delay(true));
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer;
  buffer.reserve(kReadBytes);
  while (true) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(boost::none);
    const auto [read_error, read] = co_await http::async_read(stream, buffer, parser, kNoThrow);
    if (read_error) {
      co_return;
    }
    auto& request = parser.get();
    http::response<http::string_body> response(http::status::ok, request.version());
    response.set(http::field::content_type, request[http::field::content_type]);
    if (const auto size = request.find(kJsonSizeHeader); size != request.end()) {
      response.set(kJsonSizeHeader, size->value());
    }
    response.keep_alive(request.keep_alive());
    response.body() = std::move(request.body());
    response.prepare_payload();
    const auto [write_error, written] = co_await http::async_write(stream, response, kNoThrow);
    if (write_error || !response.keep_alive()) {
      co_return;
    }
  }
}

asio::awaitable<void> accept(tcp::acceptor& acceptor) {
  while (true) {
    auto [error, socket] = co_await acceptor.async_accept(kNoThrow);
    if (!error) {
      asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
    }
  }
}

}  // namespace

int main() try {
  asio::io_context context(1);
  tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  std::printf("%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  asio::co_spawn(context, accept(acceptor), asio::detached);
  context.run();
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
