// A TCP socket whose reads and writes must end in time: at the deadline it is closed, and what is under way fails. One
// deadline for both directions. Setting it costs no timer: one timer at a time goes off, looks whether the deadline has
// moved on meanwhile, and waits for that one then. A stream for Asio and Beast; lives on the lane of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>

#include "server/core/clock.hpp"

namespace shoal::net {

class TimedStream {
 public:
  using executor_type = boost::asio::any_io_executor;

  explicit TimedStream(boost::asio::ip::tcp::socket socket) : state_(std::make_shared<State>(std::move(socket))) {}
  TimedStream(const TimedStream&) = delete;
  TimedStream& operator=(const TimedStream&) = delete;

  [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
  [[nodiscard]] boost::asio::ip::tcp::socket& socket() { return state_->socket; }
  // The deadline does not hold for it any more.
  [[nodiscard]] boost::asio::ip::tcp::socket release_socket();

  void expires_after(Duration duration) { expires_at(Clock::now() + duration); }
  void expires_never() { state_->expiry = TimePoint::max(); }
  // Whether it was closed for its deadline.
  [[nodiscard]] bool has_expired() const { return state_->has_expired; }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return state_->socket.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return state_->socket.async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  struct State : std::enable_shared_from_this<State> {
    explicit State(boost::asio::ip::tcp::socket the_socket)
        : socket(std::move(the_socket)), timer(socket.get_executor()) {}
    void arm();

    boost::asio::ip::tcp::socket socket;
    boost::asio::steady_timer timer;
    TimePoint expiry = TimePoint::max();
    TimePoint armed_for = TimePoint::max();
    bool has_expired = false;
  };

  void expires_at(TimePoint expiry);

  std::shared_ptr<State> state_;
  boost::asio::any_io_executor executor_ = state_->socket.get_executor();
};

}  // namespace shoal::net
