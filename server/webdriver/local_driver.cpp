#include "server/webdriver/local_driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <charconv>
#include <csignal>
#include <filesystem>

#include "server/net/deadline.hpp"
#include "server/webdriver/browser_kind.hpp"
#include "server/webdriver/process_tree.hpp"
#include "server/webdriver/supervise.hpp"

namespace shoal::webdriver {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using asio::experimental::awaitable_operators::operator||;

namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(5);
constexpr std::size_t kMaxSaidBytes = 1024;

asio::awaitable<void> pause(Duration duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await net::wait(timer);
}

Status make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) {
    fs::permissions(path, fs::perms::owner_all, error);
  }
  return error ? Status(fail(Code::kUnavailable, fmt::format("cannot make the folder {}: {}", path, error.message())))
               : Status();
}

asio::awaitable<void> read_away(Process& process, const Log& log) {
  for (Result<std::string> line = co_await process.read_line(); line; line = co_await process.read_line()) {
    log.debug("driver_output", {{"line", *line}});
  }
}

}  // namespace

LocalDriver::LocalDriver(asio::any_io_executor executor, LocalDriverSpec spec, Log log)
    : executor_(std::move(executor)), spec_(std::move(spec)), log_(std::move(log)) {}

std::string LocalDriver::marker() const { return "SHOAL_PROFILE=" + spec_.profile; }

// What an earlier server, or a supervisor that was killed, has left over on this profile. A supervisor among it is
// stopped before it can delete the folders.
asio::awaitable<void> LocalDriver::sweep(TimePoint deadline) {
  for (auto left = processes_with_environment(marker()); !left.empty() && Clock::now() < deadline;
       left = processes_with_environment(marker())) {
    for (const pid_t pid : left) {
      const std::vector<pid_t> below = descendants(pid);
      kill(pid, SIGKILL);
      for (const pid_t child : below) {
        kill(child, SIGKILL);
      }
    }
    log_.warn("leftover_processes_killed", {{"count", left.size()}, {"profile", spec_.profile}});
    co_await pause(kPollInterval);
  }
}

Status LocalDriver::make_folders() const {
  std::error_code ignored;
  fs::remove_all(spec_.temporary, ignored);
  for (const std::string& folder : {spec_.profile, spec_.temporary, spec_.log_folder}) {
    if (Status made = make_folder(folder); !made) {
      return made;
    }
  }
  return {};
}

asio::awaitable<Result<Endpoint>> LocalDriver::start(TimePoint deadline) {
  if (process_) {
    co_return Endpoint{.port = port_};
  }
  co_await sweep(deadline);
  if (const Status made = make_folders(); !made) {
    co_return fail(made.error());
  }
  ProcessSpec spec{
      .supervisor = spec_.supervisor,
      .arguments = spec_.command,
      .environment = {{"SHOAL_PROFILE", spec_.profile}, {"HOME", spec_.profile}, {"TMPDIR", spec_.temporary}},
      .directory = spec_.profile,
      .display_server = spec_.display_server,
      .cpus = spec_.cpus,
      .remove_if_orphaned = {spec_.profile, spec_.temporary}};
  spec.environment.insert(spec.environment.end(), spec_.environment.begin(), spec_.environment.end());
  Result<std::unique_ptr<Process>> process = Process::start(executor_, spec);
  if (!process) {
    co_return fail(std::move(process.error()));
  }
  process_ = std::move(*process);
  const Result<std::uint16_t> port = co_await net::with_deadline(deadline, "starting " + spec_.command.front(),
                                                                 spec_.port_words.empty() ? find_port() : read_port());
  if (!port) {
    co_return fail(port.error());
  }
  port_ = *port;
  co_return Endpoint{.port = port_};
}

// Reads until the port is said, or, when the driver says none, until the driver has started.
asio::awaitable<Result<std::uint16_t>> LocalDriver::read_port() {
  std::string said;  // what a driver that cannot start says of it
  for (;;) {
    const Result<std::string> line = co_await process_->read_line();
    if (!line) {
      co_return fail(Code::kUnavailable, fmt::format("{} did not start: {}", spec_.command.front(), said));
    }
    pid_t pid = 0;
    const bool is_program = line->starts_with(kProgramLine);
    if (is_program || line->starts_with(kDisplayLine)) {
      const std::string_view number = std::string_view(*line).substr((is_program ? kProgramLine : kDisplayLine).size());
      std::from_chars(number.data(), number.data() + number.size(), pid);
      kept_.push_back(pid);
      if (is_program && spec_.port_words.empty()) {
        co_return 0;
      }
    } else if (const auto port = parse_driver_port(*line, spec_.port_words)) {
      co_return *port;
    } else if (said.size() < kMaxSaidBytes) {
      said += (said.empty() ? "" : " | ") + line->substr(0, kMaxSaidBytes / 2);
    }
  }
}

asio::awaitable<Result<std::uint16_t>> LocalDriver::find_port() {
  if (const auto started = co_await read_port(); !started) {
    co_return fail(started.error());
  }
  for (;;) {
    // The program's pid is said last.
    if (const std::optional<std::uint16_t> port = listening_port(kept_.back())) {
      co_return *port;
    }
    if (descendants(process_->supervisor_pid()).empty()) {
      co_return fail(Code::kUnavailable, fmt::format("{} ended before it listened", spec_.command.front()));
    }
    co_await pause(kPollInterval);
  }
}

std::vector<pid_t> LocalDriver::browser_processes() const {
  std::vector<pid_t> processes = process_ ? descendants(process_->supervisor_pid()) : std::vector<pid_t>();
  std::erase_if(processes, [this](pid_t pid) { return std::ranges::find(kept_, pid) != kept_.end(); });
  return processes;
}

asio::awaitable<Status> LocalDriver::kill_browser(TimePoint deadline) {
  if (!spec_.driver_reaps) {
    co_return fail(Code::kUnavailable, "this driver leaves a zombie of every browser that it did not end itself");
  }
  for (std::vector<pid_t> left = browser_processes(); !left.empty(); left = browser_processes()) {
    if (Clock::now() >= deadline) {
      co_return fail(Code::kDeadlineExceeded, "the browser's processes did not end");
    }
    for (const pid_t pid : left) {
      kill(pid, SIGKILL);
    }
    co_await pause(kPollInterval);
  }
  co_return Status();
}

asio::awaitable<void> LocalDriver::end(TimePoint deadline) {
  if (!process_) {
    co_return;
  }
  process_->stop();
  const Status ended = co_await net::with_deadline(deadline, "ending the driver", process_->exited());
  if (!ended) {
    log_.warn("driver_killed", {{"what", ended.error().message}, {"pid", process_->supervisor_pid()}});
    process_->kill_hard();
    static_cast<void>(co_await process_->exited());
  }
  process_.reset();
  kept_.clear();
  co_await sweep(deadline);
  std::error_code ignored;
  fs::remove_all(spec_.temporary, ignored);
}

void LocalDriver::forget() {
  std::error_code ignored;
  fs::remove_all(spec_.profile, ignored);
}

void LocalDriver::stop() {
  if (process_) {
    process_->stop();
  }
}

asio::awaitable<void> LocalDriver::attend() {
  // Two signs: a process that escaped its supervisor may hold the output open, so its end alone would not do.
  const std::shared_ptr<Process> process = process_;
  if (process) {
    static_cast<void>(co_await (read_away(*process, log_) || process->exited()));
  }
}

}  // namespace shoal::webdriver
