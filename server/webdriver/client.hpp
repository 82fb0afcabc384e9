// Sends WebDriver commands to a driver or a grid, one connection per command; every wait ends by the deadline.
// Lives on the lane of its executor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "engine/core/result.hpp"
#include "server/core/clock.hpp"
#include "server/webdriver/command.hpp"
#include "server/webdriver/endpoint.hpp"

namespace shoal::webdriver {

class Client {
 public:
  explicit Client(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  // The answer's value; kDeadlineExceeded, kUnavailable when nobody is there, else as parse_response says.
  [[nodiscard]] boost::asio::awaitable<Result<nlohmann::json>> send(Command command, TimePoint deadline) const;

  // The answer as it came, of whatever speaks HTTP there; kUnavailable unless it is 200.
  [[nodiscard]] boost::asio::awaitable<Result<std::string>> fetch(Command command, TimePoint deadline) const;

 private:
  Endpoint endpoint_;
};

}  // namespace shoal::webdriver
