// The server's end of one WebSocket: binary messages only, bounded both ways. Control messages are queued by send() and
// overtake bulk messages, which are pulled one at a time from a source, so that large payloads are never held twice and
// never delay a control message by more than one message.
// Lives on the lane of its socket. read() and write_loop() may run at the same time, one of each; both have ended
// before the object is destroyed. No deflate and no pings: liveness is the sessions' business (pings do not see a hung
// page).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/core/clock.hpp"
#include "server/net/upgrade.hpp"

namespace shoal::net {

class WebSocket {
 public:
  struct Limits {
    std::size_t max_message_bytes = 512 * 1024;         // read; larger ends the connection
    std::size_t max_control_bytes = 8 * 1024 * 1024;    // queued by send()
    Duration write_timeout = std::chrono::seconds(20);  // of one message: a peer that does not read
    Duration close_timeout = std::chrono::seconds(1);   // of the closing handshake
  };
  // Message bytes both ways, of every connection that shares it.
  struct Traffic {
    std::uint64_t sent_bytes = 0;
    std::uint64_t received_bytes = 0;
  };
  // The next bulk message, or nothing for now (call wake() when there is one again).
  using BulkSource = std::function<std::optional<std::string>()>;

  // `traffic`, when there is one, outlives the connection.
  WebSocket(boost::asio::ip::tcp::socket socket, Limits limits, Traffic* traffic = nullptr);
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;
  ~WebSocket();

  // Answers the upgrade; `subprotocol` is confirmed where the peer offers it.
  boost::asio::awaitable<Status> accept(UpgradeRequest request, std::string subprotocol = {});

  // The next binary message; the view is valid until the next read. An error is the end of the connection, its message
  // the reason.
  boost::asio::awaitable<Result<std::string_view>> read();

  // Writes what is queued until the connection ends; run beside the reads.
  boost::asio::awaitable<void> write_loop();

  // kOverloaded when the queue's byte bound is reached, kUnavailable when closing; nothing is queued then.
  Status send(std::string message);
  void set_bulk_source(BulkSource source) { bulk_ = std::move(source); }
  void wake() { wake_.cancel(); }

  // Sends what send() has queued, then closes; bounded by close_timeout after that.
  void close(std::uint16_t code, std::string reason);
  // Cuts the connection; read and write_loop end soon.
  void abort();

  // Whether one message has been under way for longer than write_timeout.
  [[nodiscard]] bool is_stalled(TimePoint now) const;

 private:
  struct Stream;
  struct CloseRequest {
    std::uint16_t code;
    std::string reason;
  };
  std::optional<std::string> next_message();
  boost::asio::awaitable<Status> close_handshake(CloseRequest request);

  std::unique_ptr<Stream> stream_;
  Limits limits_;
  Traffic* traffic_;
  boost::asio::steady_timer wake_;
  std::deque<std::string> control_;
  std::size_t control_bytes_ = 0;
  BulkSource bulk_;
  std::optional<CloseRequest> close_;
  std::optional<TimePoint> writing_since_;
  bool ended_ = false;
};

}  // namespace shoal::net
