#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "tests/bench/frontend/load.hpp"

namespace shoal::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Answer = http::response<http::string_body>;

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
// Beast reads as much at a time as the buffer has room for, and of itself that is 512 bytes.
constexpr std::size_t kReadBytes = std::size_t{64} << 10;
constexpr const char* kJsonSizeHeader = "Inference-Header-Content-Length";

std::string_view bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string numbers_of(const std::vector<float>& values) {
  std::string out;
  for (const float value : values) {
    char text[32];
    const auto [end, error] = std::to_chars(std::begin(text), std::end(text), value);
    out += out.empty() ? "" : ",";
    out.append(text, end);
  }
  return out;
}

// The request with its header, ready for the socket.
std::string request_of(const Load& load, bool is_binary) {
  const std::string_view raw = is_binary ? bytes_of(load.values) : std::string_view();
  std::string json = R"({"inputs":[{"name":")" + load.input + R"(","shape":[)" + std::to_string(load.values.size()) +
                     R"(],"datatype":"FP32",)";
  json += is_binary ? R"("parameters":{"binary_data_size":)" + std::to_string(raw.size()) + "}}]"
                    : R"("data":[)" + numbers_of(load.values) + "]}]";
  json += is_binary ? R"(,"parameters":{"binary_data_output":true}})" : "}";
  std::string out =
      "POST /v2/models/" + load.model + "/infer HTTP/1.1\r\nHost: " + load.host + ":" + load.port + "\r\n";
  if (is_binary) {
    out += std::string(kJsonSizeHeader) + ": " + std::to_string(json.size()) + "\r\n";
  }
  out += std::string("Content-Type: ") + (is_binary ? "application/octet-stream" : "application/json") + "\r\n";
  out += "Content-Length: " + std::to_string(json.size() + raw.size()) + "\r\n\r\n";
  return (out += json) += raw;
}

// The first tensor's numbers as they stand in the JSON; empty where there is none.
std::string_view numbers_in(std::string_view json) {
  constexpr std::string_view kBegin = R"("data":[)";
  const auto begin = json.find(kBegin);
  const auto end = begin == json.npos ? json.npos : json.find(']', begin);
  return end == json.npos ? std::string_view() : json.substr(begin + kBegin.size(), end - begin - kBegin.size());
}

bool says(std::string_view numbers, const std::vector<float>& values) {
  for (const float value : values) {
    float said = 0;
    const auto [end, error] = std::from_chars(numbers.data(), numbers.data() + numbers.size(), said);
    if (error != std::errc() || said != value) {
      return false;
    }
    numbers.remove_prefix(static_cast<std::size_t>(end - numbers.data()));
    numbers.remove_prefix(numbers.starts_with(',') ? 1 : 0);
  }
  return numbers.empty();
}

class HttpLoad {
 public:
  HttpLoad(const Load& load, bool is_binary, Tally& tally)
      : load_(load), is_binary_(is_binary), tally_(tally), request_(request_of(load, is_binary)) {}

  void run() {
    asio::io_context context(1);
    tcp::resolver resolver(context);
    const tcp::endpoint server = *resolver.resolve(load_.host, load_.port).begin();
    for (std::size_t client = 0; client < load_.concurrency; ++client) {
      asio::co_spawn(context, ask_again_and_again(server), asio::detached);
    }
    context.run();
  }

 private:
  asio::awaitable<void> ask_again_and_again(tcp::endpoint server) {
    beast::tcp_stream stream(co_await asio::this_coro::executor);
    stream.expires_after(kAnswerTimeout);
    const auto [unreachable] = co_await stream.async_connect(server, kNoThrow);
    if (unreachable) {
      tally_.failed("cannot connect: " + unreachable.message());
      co_return;
    }
    stream.socket().set_option(tcp::no_delay(true));
    beast::flat_buffer buffer;
    buffer.reserve(kReadBytes);
    while (true) {
      const auto sent = Clock::now();
      stream.expires_after(kAnswerTimeout);
      const auto [not_sent, written] = co_await asio::async_write(stream, asio::buffer(request_), kNoThrow);
      http::response_parser<http::string_body> parser;
      parser.body_limit(boost::none);
      const auto [error, read] = co_await http::async_read(stream, buffer, parser, kNoThrow);
      const auto now = Clock::now();
      std::string why = not_sent ? not_sent.message() : error ? error.message() : fault(parser.get());
      if (!why.empty()) {
        tally_.failed(std::move(why));
        co_return;
      }
      tally_.answered(sent, now);
      if (tally_.is_over(now)) {
        co_return;
      }
    }
  }

  // Empty when the answer is right. An echo's is the request's own body, which is right in the same way.
  std::string fault(const Answer& answer) {
    if (answer.result() != http::status::ok) {
      return "status " + std::to_string(answer.result_int()) + ": " + answer.body().substr(0, 300);
    }
    return is_binary_ ? binary_fault(answer) : json_fault(answer);
  }

  std::string binary_fault(const Answer& answer) {
    const std::string_view body = answer.body();
    const std::string_view sent = bytes_of(load_.values);
    const auto field = answer[kJsonSizeHeader];
    std::size_t json_size = 0;
    std::from_chars(field.data(), field.data() + field.size(), json_size);
    if (json_size == 0 || json_size > body.size() || body.size() - json_size != sent.size()) {
      return "the answer has " + std::to_string(body.size()) + " bytes, JSON of " + std::to_string(json_size) +
             " among them, and should have " + std::to_string(sent.size()) + " after it";
    }
    if (!std::exchange(has_compared_, true) && body.substr(json_size) != sent) {
      return "the answer is not the tensor that was sent";
    }
    return {};
  }

  // How a server writes a number is its own affair; every answer is as long as the first, and that one says the same.
  std::string json_fault(const Answer& answer) {
    const std::string_view numbers = numbers_in(answer.body());
    if (!std::exchange(has_compared_, true)) {
      numbers_size_ = numbers.size();
      return says(numbers, load_.values) ? std::string() : "another tensor: " + answer.body().substr(0, 300);
    }
    return numbers.size() == numbers_size_ ? std::string() : "another size: " + answer.body().substr(0, 300);
  }

  const Load& load_;
  const bool is_binary_;
  Tally& tally_;
  const std::string request_;
  std::size_t numbers_size_ = 0;
  bool has_compared_ = false;
};

}  // namespace

void load_http(const Load& load, bool is_binary, Tally& tally) { HttpLoad(load, is_binary, tally).run(); }

}  // namespace shoal::bench
