// What starts browsers at WebDriver's request: a program of this machine (local_driver.hpp) or somebody else's service
// (remote_end.hpp). A Browser owns one and speaks WebDriver to its endpoint.
// Lives on the lane of its executor. One of start, kill_browser and end at a time.
#pragma once

#include <sys/types.h>

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>

#include "engine/core/result.hpp"
#include "server/core/clock.hpp"
#include "server/webdriver/endpoint.hpp"

namespace shoal::webdriver {

class Driver {
 public:
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  virtual ~Driver() = default;

  // Brings it up where it is not; where it listens.
  virtual boost::asio::awaitable<Result<Endpoint>> start(TimePoint deadline) = 0;

  virtual void session_opened(const std::string& id) = 0;
  virtual void session_closed() = 0;

  // Kills the browser where that can be done, without asking it. An error: the driver is of no use any more.
  virtual boost::asio::awaitable<Status> kill_browser(TimePoint deadline) = 0;
  // Nothing that it started here is left when it returns.
  virtual boost::asio::awaitable<void> end(TimePoint deadline) = 0;
  // Deletes the folders; after end().
  virtual void forget() = 0;
  // Makes a running start(), and commands under way, fail soon. Idempotent, does not wait.
  virtual void stop() = 0;

  // To be awaited while it runs. Returns when it, or the session that was open, has ended.
  virtual boost::asio::awaitable<void> attend() = 0;
  // Another number for each run that attend() has to be called for; 0 while there is none.
  [[nodiscard]] virtual std::uint64_t run_number() const = 0;
  // Root of its process tree; 0 without one on this machine.
  [[nodiscard]] virtual pid_t root_pid() const = 0;
};

}  // namespace shoal::webdriver
