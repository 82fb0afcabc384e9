// The driver of a tab: another browser's, which brings itself up and ends by itself.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "server/webdriver/driver.hpp"

namespace shoal::webdriver {

class Browser;

struct TabSpec {
  const Browser* host = nullptr;  // whose browser it is a tab of; outlives the tab
};

class SharedDriver final : public Driver {
 public:
  explicit SharedDriver(TabSpec spec) : spec_(spec) {}

  // kUnavailable while the host has no browser.
  boost::asio::awaitable<Result<Endpoint>> start(TimePoint deadline) override;
  void session_opened(const std::string& /*id*/) override {}
  void session_closed() override {}
  boost::asio::awaitable<Status> kill_browser(TimePoint deadline) override;
  boost::asio::awaitable<void> end(TimePoint deadline) override;
  void forget() override {}
  void stop() override {}
  boost::asio::awaitable<void> attend() override;
  [[nodiscard]] std::uint64_t run_number() const override { return 0; }
  [[nodiscard]] pid_t root_pid() const override { return 0; }

 private:
  TabSpec spec_;
};

}  // namespace shoal::webdriver
