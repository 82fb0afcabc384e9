// One driver and the browser that it started, with a profile of their own. open() brings both up as far as needed and
// sends the browser to a page; drop() kills the browser and keeps the driver; end() leaves no process. Whatever goes
// wrong is a Status: the caller ends what is left and tries again.
// Lives on the lane of its executor. One of open, drop and end at a time; end() is awaited before it is destroyed.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/clock.hpp"
#include "server/core/log.hpp"
#include "server/webdriver/command.hpp"
#include "server/webdriver/process.hpp"

namespace shoal::webdriver {

struct BrowserSpec {
  std::string supervisor;
  std::string driver_path;
  std::vector<std::string> driver_arguments;
  std::string browser_path;
  std::vector<std::string> browser_arguments;
  std::string profile;    // folder; made when missing
  std::string temporary;  // folder for the browser's temporary files, emptied at each start of a driver
  std::string log_path;   // of the driver
};

class Browser {
 public:
  Browser(boost::asio::any_io_executor executor, BrowserSpec spec, Log log);
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;
  ~Browser();

  boost::asio::awaitable<Status> open(std::string url, TimePoint deadline);

  // Kills the browser and ends its session. An error: the driver is of no use any more.
  boost::asio::awaitable<Status> drop(TimePoint deadline);

  // Kills driver and browser; every process is gone when it returns.
  boost::asio::awaitable<void> end(TimePoint deadline);
  // end(), and deletes the folders.
  boost::asio::awaitable<void> end_and_forget(TimePoint deadline);

  // Makes a running open() fail soon. Idempotent, does not wait.
  void stop();

  // Returns when the driver has ended, or at once when there is none; also reads away what it prints.
  boost::asio::awaitable<void> driver_ended();

  // Root of the process tree; 0 without one.
  [[nodiscard]] pid_t root_pid() const { return process_ ? process_->supervisor_pid() : 0; }
  [[nodiscard]] const std::string& version() const { return version_; }

 private:
  boost::asio::awaitable<Status> start_driver(TimePoint deadline);
  boost::asio::awaitable<Result<std::uint16_t>> read_port();
  [[nodiscard]] std::vector<pid_t> browser_processes() const;
  [[nodiscard]] std::string marker() const;
  boost::asio::awaitable<void> sweep(TimePoint deadline);

  boost::asio::any_io_executor executor_;
  BrowserSpec spec_;
  Log log_;
  std::shared_ptr<Process> process_;  // shared with a running driver_ended() only
  pid_t driver_pid_ = 0;
  std::uint16_t port_ = 0;
  std::optional<std::string> session_id_;
  std::string version_;
};

}  // namespace shoal::webdriver
