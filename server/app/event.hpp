// Something that happens once.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "server/core/clock.hpp"

namespace shoal::app {

// It can be awaited by one coroutine of the same lane.
class Event {
 public:
  explicit Event(const boost::asio::any_io_executor& executor) : timer_(executor, TimePoint::max()) {}
  void set() {
    is_set_ = true;
    timer_.cancel();
  }
  // True when it happened before the deadline.
  boost::asio::awaitable<bool> wait_until(TimePoint deadline) {
    if (!is_set_) {
      timer_.expires_at(deadline);
      boost::system::error_code ignored;
      co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    co_return is_set_;
  }

 private:
  boost::asio::steady_timer timer_;
  bool is_set_ = false;
};

}  // namespace shoal::app
