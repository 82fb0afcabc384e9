// Sends WebDriver commands to a driver on loopback, one connection per command; every wait ends by the deadline.
// Lives on the lane of its executor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "engine/core/result.hpp"
#include "server/core/clock.hpp"
#include "server/webdriver/command.hpp"

namespace shoal::webdriver {

class Client {
 public:
  explicit Client(std::uint16_t port) : port_(port) {}

  // The answer's value; kDeadlineExceeded, kUnavailable when the driver is not there, else as parse_response says.
  [[nodiscard]] boost::asio::awaitable<Result<nlohmann::json>> send(Command command, TimePoint deadline) const;

 private:
  std::uint16_t port_;
};

}  // namespace shoal::webdriver
