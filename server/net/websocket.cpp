#include "server/net/websocket.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "server/net/deadline.hpp"

namespace shoal::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);

struct WebSocket::Stream {
  explicit Stream(asio::ip::tcp::socket socket) : ws(std::move(socket)) {}
  websocket::stream<asio::ip::tcp::socket, false> ws;  // false: built without deflate
  beast::flat_buffer buffer;
};

WebSocket::WebSocket(asio::ip::tcp::socket socket, Limits limits, Traffic* traffic)
    : stream_(std::make_unique<Stream>(std::move(socket))),
      limits_(limits),
      traffic_(traffic),
      wake_(stream_->ws.get_executor(), asio::steady_timer::time_point::max()) {
  websocket::stream_base::timeout none{};
  none.handshake_timeout = websocket::stream_base::none();
  none.idle_timeout = websocket::stream_base::none();
  none.keep_alive_pings = false;
  stream_->ws.set_option(none);
  stream_->ws.binary(true);
  stream_->ws.auto_fragment(false);
  stream_->ws.read_message_max(limits_.max_message_bytes);
  boost::system::error_code ignored;
  stream_->ws.next_layer().set_option(asio::ip::tcp::no_delay(true), ignored);
}

WebSocket::~WebSocket() = default;

asio::awaitable<Status> WebSocket::accept(UpgradeRequest request, std::string subprotocol) {
  // A browser fails the connection when the subprotocol that it offered is not the one that comes back (RFC 6455, 4.1).
  const auto offered = request.find(boost::beast::http::field::sec_websocket_protocol);
  if (offered != request.end() && offered->value() == subprotocol) {
    stream_->ws.set_option(websocket::stream_base::decorator([subprotocol](websocket::response_type& response) {
      response.set(boost::beast::http::field::sec_websocket_protocol, subprotocol);
    }));
  }
  const auto [error] = co_await stream_->ws.async_accept(request, kAwaitTuple);
  if (error) {
    ended_ = true;
    co_return fail(Code::kInvalidArgument, "WebSocket handshake: " + error.message());
  }
  co_return Status();
}

asio::awaitable<Result<std::string_view>> WebSocket::read() {
  auto& [ws, buffer] = *stream_;
  buffer.clear();
  const auto [error, size] = co_await ws.async_read(buffer, kAwaitTuple);
  if (traffic_ != nullptr) {
    traffic_->received_bytes += size;
  }
  if (!error && ws.got_binary()) {
    co_return std::string_view(static_cast<const char*>(buffer.cdata().data()), size);
  }
  if (!error) {
    const std::string reason = "a text message came where only binary ones are allowed";
    close(static_cast<std::uint16_t>(websocket::close_code::unknown_data), reason);
    co_return fail(Code::kUnavailable, reason);
  }
  std::string reason = "the connection broke: " + error.message();
  if (error == websocket::error::closed) {
    reason = "closed by the peer with code " + std::to_string(ws.reason().code);
    if (ws.reason().reason.size() > 0) {
      reason += ": " + std::string(ws.reason().reason.data(), ws.reason().reason.size());
    }
  }
  abort();
  co_return fail(Code::kUnavailable, std::move(reason));
}

std::optional<std::string> WebSocket::next_message() {
  if (!control_.empty()) {
    std::string message = std::move(control_.front());
    control_.pop_front();
    control_bytes_ -= message.size();
    return message;
  }
  return close_ || !bulk_ ? std::nullopt : bulk_();
}

asio::awaitable<void> WebSocket::write_loop() {
  while (!ended_) {
    const std::optional<std::string> message = next_message();
    if (message) {
      writing_since_ = Clock::now();
      const auto [error, size] = co_await stream_->ws.async_write(asio::buffer(*message), kAwaitTuple);
      writing_since_.reset();
      if (traffic_ != nullptr) {
        traffic_->sent_bytes += size;
      }
      if (error) {
        abort();
      }
    } else if (close_) {
      const TimePoint deadline = Clock::now() + limits_.close_timeout;
      const Status closed = co_await with_deadline(deadline, "the closing handshake", close_handshake(*close_));
      static_cast<void>(closed);  // cut either way
      abort();
    } else {
      wake_.expires_at(asio::steady_timer::time_point::max());
      co_await wait(wake_);
    }
  }
}

asio::awaitable<Status> WebSocket::close_handshake(CloseRequest request) {
  // A close reason is at most 123 bytes (RFC 6455, 5.5).
  const websocket::close_reason reason(static_cast<websocket::close_code>(request.code),
                                       beast::string_view(request.reason).substr(0, 123));
  co_await stream_->ws.async_close(reason, kAwaitTuple);
  co_return Status();
}

Status WebSocket::send(std::string message) {
  if (ended_ || close_) {
    return fail(Code::kUnavailable, "the connection is closing");
  }
  if (control_bytes_ + message.size() > limits_.max_control_bytes) {
    return fail(Code::kOverloaded, "the connection's send queue is full");
  }
  control_bytes_ += message.size();
  control_.push_back(std::move(message));
  wake();
  return {};
}

void WebSocket::close(std::uint16_t code, std::string reason) {
  if (!close_) {
    close_ = CloseRequest{code, std::move(reason)};
    wake();
  }
}

void WebSocket::abort() {
  ended_ = true;
  boost::system::error_code ignored;
  stream_->ws.next_layer().close(ignored);
  wake();
}

bool WebSocket::is_stalled(TimePoint now) const {
  return writing_since_ && now - *writing_since_ > limits_.write_timeout;
}

}  // namespace shoal::net
