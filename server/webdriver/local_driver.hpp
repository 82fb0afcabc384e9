// A driver that runs on this machine below a supervisor (webdriver/supervise.hpp), with a profile of its own, and on a
// display of its own where its browser cannot do without.
// Lives on the lane of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/core/cpu_list.hpp"
#include "server/core/log.hpp"
#include "server/webdriver/driver.hpp"
#include "server/webdriver/process.hpp"

namespace shoal::webdriver {

struct LocalDriverSpec {
  std::string supervisor;
  std::vector<std::string> command;  // the driver first
  // What the driver prints just before its port; empty: it prints none, and its listening socket tells.
  std::string port_words;
  std::vector<std::pair<std::string, std::string>> environment;
  bool driver_reaps = true;    // false: one browser for each life of the driver
  std::string display_server;  // started beside it; empty: none
  std::string profile;         // folder; made when missing, the driver's HOME
  std::string temporary;       // folder for the browser's temporary files, emptied at each start
  std::string log_folder;      // made when missing
  CpuList cpus = {};           // for it and its browser; empty: any
};

class LocalDriver final : public Driver {
 public:
  LocalDriver(boost::asio::any_io_executor executor, LocalDriverSpec spec, Log log);

  boost::asio::awaitable<Result<Endpoint>> start(TimePoint deadline) override;
  void session_opened(const std::string& /*id*/) override {}
  void session_closed() override {}
  boost::asio::awaitable<Status> kill_browser(TimePoint deadline) override;
  boost::asio::awaitable<void> end(TimePoint deadline) override;
  void forget() override;
  void stop() override;
  // Also reads away what the driver prints.
  boost::asio::awaitable<void> attend() override;
  [[nodiscard]] std::uint64_t run_number() const override { return static_cast<std::uint64_t>(root_pid()); }
  [[nodiscard]] pid_t root_pid() const override { return process_ ? process_->supervisor_pid() : 0; }

 private:
  [[nodiscard]] Status make_folders() const;
  boost::asio::awaitable<Result<std::uint16_t>> read_port();
  boost::asio::awaitable<Result<std::uint16_t>> find_port();
  [[nodiscard]] std::vector<pid_t> browser_processes() const;
  [[nodiscard]] std::string marker() const;
  boost::asio::awaitable<void> sweep(TimePoint deadline);

  boost::asio::any_io_executor executor_;
  LocalDriverSpec spec_;
  Log log_;
  std::shared_ptr<Process> process_;  // shared with a running attend() only
  std::vector<pid_t> kept_;           // the driver, and its display: not of the browser
  std::uint16_t port_ = 0;
};

}  // namespace shoal::webdriver
