// A server of a command's own: `shoal serve` as a child on free ports, with one headless browser and one repository. It
// ends, with its browser, when this does, however that ends. Lives on the lane of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "engine/core/result.hpp"
#include "server/app/settings.hpp"
#include "server/webdriver/process.hpp"

namespace shoal::app {

class OwnServer {
 public:
  // Returns once it listens. `home` is its alone and stays until it has ended; `repository` holds its models. Of
  // `settings` the places of browser and agent are taken. kUnavailable with its own last words when it does not start.
  static boost::asio::awaitable<Result<std::unique_ptr<OwnServer>>> start(boost::asio::any_io_executor executor,
                                                                          const Settings& settings,
                                                                          const std::filesystem::path& home,
                                                                          const std::filesystem::path& repository);

  // "127.0.0.1:PORT".
  [[nodiscard]] const std::string& address() const { return address_; }
  // Returns when the model answers; kUnavailable with the server's reason after two minutes.
  boost::asio::awaitable<Status> ready(std::string model);
  // Ends it, and returns when it is gone.
  boost::asio::awaitable<void> end();

 private:
  OwnServer(std::shared_ptr<webdriver::Process> process, std::string address)
      : process_(std::move(process)), address_(std::move(address)) {}

  std::shared_ptr<webdriver::Process> process_;
  std::string address_;
};

}  // namespace shoal::app
