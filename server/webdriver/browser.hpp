// A browser in a driver's session. open() brings both up as far as needed and sends the browser to a page; drop() ends
// the browser and keeps the driver; end() leaves no process and no session. Whatever goes wrong is a Status: the caller
// ends what is left and tries again. Of a TabSpec it is one tab of another one's browser, in a session of its own: what
// is said of the browser is done to the tab.
// Lives on the lane of its executor. One of open, drop and end at a time; end() is awaited before it is destroyed.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/clock.hpp"
#include "server/core/log.hpp"
#include "server/webdriver/command.hpp"
#include "server/webdriver/driver.hpp"
#include "server/webdriver/local_driver.hpp"
#include "server/webdriver/remote_end.hpp"
#include "server/webdriver/shared_driver.hpp"

namespace shoal::webdriver {

struct BrowserSpec {
  std::string name;  // the program, or where it is asked for: for messages
  nlohmann::json capabilities;
  std::variant<LocalDriverSpec, RemoteEndSpec, TabSpec> driver;
};

class Browser {
 public:
  Browser(boost::asio::any_io_executor executor, BrowserSpec spec, Log log);
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;
  ~Browser();

  boost::asio::awaitable<Status> open(std::string url, TimePoint deadline);

  // Whether the page that was opened is there, as the driver says; it may be asked beside the others.
  boost::asio::awaitable<Status> page_lives(TimePoint deadline);

  // Sends the page that is there to `url`.
  boost::asio::awaitable<Status> reload(std::string url, TimePoint deadline);
  // Opens `url` in a new tab, and closes the one that it was in, whether that one answers or not. kUnavailable where
  // has_tabs() is false.
  boost::asio::awaitable<Status> new_tab(std::string url, TimePoint deadline);
  // Whether tabs can be changed without asking the page that is lost: a Chromium of this machine, by its DevTools.
  [[nodiscard]] bool has_tabs() const { return session_id_.has_value() && devtools_.has_value(); }

  // Kills the browser and ends its session. An error: the driver is of no use any more.
  boost::asio::awaitable<Status> drop(TimePoint deadline);

  // Ends driver, browser and session; every process of this machine is gone when it returns.
  boost::asio::awaitable<void> end(TimePoint deadline);
  // end(), and deletes the folders.
  boost::asio::awaitable<void> end_and_forget(TimePoint deadline);

  // Makes a running open() fail soon, and every later one. Idempotent, does not wait.
  void stop();

  // To be awaited after an open() that changed run_number(); returns when the driver has ended, or at once when there
  // is none.
  boost::asio::awaitable<void> driver_ended() { return driver_->attend(); }
  // Of the driver: another one for each that driver_ended() is due for; 0 without one.
  [[nodiscard]] std::uint64_t run_number() const { return driver_->run_number(); }
  // Root of the process tree; 0 without one on this machine.
  [[nodiscard]] pid_t root_pid() const { return driver_->root_pid(); }
  // Of its driver, while has_tabs().
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  // Of its DevTools; nothing without.
  [[nodiscard]] const std::optional<Endpoint>& devtools() const { return devtools_; }
  [[nodiscard]] const std::string& version() const { return version_; }
  // The driver's name for it; empty without one.
  [[nodiscard]] std::string session_id() const { return session_id_.value_or(""); }

 private:
  // What follows a new session, of which it is the first tab.
  boost::asio::awaitable<Status> enter(std::string url, TimePoint deadline);
  // Closes a tab's page and session; whatever is there no more needs no closing.
  boost::asio::awaitable<void> leave(TimePoint deadline);
  boost::asio::awaitable<Result<nlohmann::json>> send(Command command, TimePoint deadline);

  std::string name_;
  nlohmann::json capabilities_;
  const Browser* host_;  // of a tab; else nullptr
  std::unique_ptr<Driver> driver_;
  boost::asio::steady_timer stopped_;  // expires when commands are to be given up
  Endpoint endpoint_;
  std::optional<std::string> session_id_;
  std::string url_;                   // of the page
  std::optional<Endpoint> devtools_;  // of this session's browser
  std::vector<std::string> targets_;  // its tabs: the last one shows the page, others could not be closed
  std::string version_;
};

}  // namespace shoal::webdriver
