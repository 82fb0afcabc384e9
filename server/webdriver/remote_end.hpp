// A WebDriver service that is not ours, such as a Selenium Grid: it has the processes, we have a session there. The
// session is used again and again while it lives, since a grid ends sessions that see no command for a while, whatever
// their page does. Failing commands end nothing here: a page that still answers is alive, and when it no longer does,
// its WebSocket says so.
// Lives on the lane of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>

#include "server/core/log.hpp"
#include "server/webdriver/driver.hpp"

namespace shoal::webdriver {

struct RemoteEndSpec {
  Endpoint endpoint;
  Duration keep_alive{};  // between two uses of the session
};

class RemoteEnd final : public Driver {
 public:
  RemoteEnd(const boost::asio::any_io_executor& executor, RemoteEndSpec spec, Log log);

  boost::asio::awaitable<Result<Endpoint>> start(TimePoint deadline) override;
  void session_opened(const std::string& id) override;
  void session_closed() override;
  boost::asio::awaitable<Status> kill_browser(TimePoint deadline) override;
  boost::asio::awaitable<void> end(TimePoint deadline) override;
  void forget() override {}
  void stop() override {}
  boost::asio::awaitable<void> attend() override;
  [[nodiscard]] std::uint64_t run_number() const override { return session_.empty() ? 0 : session_count_; }
  [[nodiscard]] pid_t root_pid() const override { return 0; }

 private:
  RemoteEndSpec spec_;
  Log log_;
  boost::asio::steady_timer pause_;
  std::string session_;
  std::uint64_t session_count_ = 0;
};

}  // namespace shoal::webdriver
