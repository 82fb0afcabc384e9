#include "server/webdriver/browser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <csignal>
#include <filesystem>

#include "server/net/deadline.hpp"
#include "server/webdriver/browser_kind.hpp"
#include "server/webdriver/client.hpp"
#include "server/webdriver/process_tree.hpp"

namespace shoal::webdriver {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPidLine = "supervise: pid ";
constexpr auto kPollInterval = std::chrono::milliseconds(5);

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

Browser::Browser(asio::any_io_executor executor, BrowserSpec spec, Log log)
    : executor_(std::move(executor)), spec_(std::move(spec)), log_(std::move(log)) {}

Browser::~Browser() = default;

std::string Browser::marker() const { return "SHOAL_PROFILE=" + spec_.profile; }

// What an earlier server, or a supervisor that was killed, has left over on this profile. A supervisor among it is
// stopped before it can delete the folders.
asio::awaitable<void> Browser::sweep(TimePoint deadline) {
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

asio::awaitable<Status> Browser::open(std::string url, TimePoint deadline) {
  if (!process_) {
    const Status started = co_await start_driver(deadline);
    if (!started) {
      co_return fail(started.error());
    }
  }
  const Client client(port_);
  Command create = new_session(session_capabilities(spec_.browser_path, spec_.browser_arguments));
  const auto value = co_await client.send(std::move(create), deadline);
  if (!value) {
    co_return fail(Error(value.error()).with("starting " + spec_.browser_path));
  }
  const Result<Session> session = parse_session(*value);
  if (!session) {
    co_return fail(session.error());
  }
  session_id_ = session->id;
  version_ = session->browser_name + " " + session->browser_version;
  const auto opened = co_await client.send(navigate(*session_id_, url), deadline);
  co_return opened ? Status() : fail(Error(opened.error()).with("opening the agent page"));
}

asio::awaitable<Status> Browser::start_driver(TimePoint deadline) {
  co_await sweep(deadline);
  std::error_code ignored;
  fs::remove_all(spec_.temporary, ignored);
  for (const std::string& folder : {spec_.profile, spec_.temporary, fs::path(spec_.log_path).parent_path().string()}) {
    const Status made = make_folder(folder);
    if (!made) {
      co_return fail(made.error());
    }
  }
  ProcessSpec spec{.supervisor = spec_.supervisor,
                   .arguments = {spec_.driver_path, "--port=0", "--log-path=" + spec_.log_path, "--log-level=WARNING"},
                   .environment = {{"SHOAL_PROFILE", spec_.profile},
                                   {"HOME", spec_.profile},
                                   {"TMPDIR", spec_.temporary},
                                   {"CHROME_LOG_FILE", spec_.profile + "/chrome.log"}},
                   .directory = spec_.profile,
                   .remove_if_orphaned = {spec_.profile, spec_.temporary}};
  spec.arguments.insert(spec.arguments.end(), spec_.driver_arguments.begin(), spec_.driver_arguments.end());
  Result<std::unique_ptr<Process>> process = Process::start(executor_, spec);
  if (!process) {
    co_return fail(std::move(process.error()));
  }
  process_ = std::move(*process);
  const Result<std::uint16_t> port =
      co_await net::with_deadline(deadline, "starting " + spec_.driver_path, read_port());
  if (!port) {
    co_return fail(port.error());
  }
  port_ = *port;
  co_return Status();
}

asio::awaitable<Result<std::uint16_t>> Browser::read_port() {
  std::string said;  // what a driver that cannot start says of it
  for (;;) {
    const Result<std::string> line = co_await process_->read_line();
    if (!line) {
      co_return fail(Code::kUnavailable, fmt::format("{} did not start: {}", spec_.driver_path, said));
    }
    if (line->starts_with(kPidLine)) {
      std::from_chars(line->data() + kPidLine.size(), line->data() + line->size(), driver_pid_);
    } else if (const auto port = parse_driver_port(*line)) {
      co_return *port;
    } else if (said.size() < 1024) {
      said += (said.empty() ? "" : " | ") + line->substr(0, 512);
    }
  }
}

std::vector<pid_t> Browser::browser_processes() const {
  std::vector<pid_t> processes = process_ ? descendants(process_->supervisor_pid()) : std::vector<pid_t>();
  std::erase(processes, driver_pid_);
  return processes;
}

asio::awaitable<Status> Browser::drop(TimePoint deadline) {
  if (!process_ || !session_id_) {
    co_return fail(Code::kUnavailable, "no session to end");
  }
  // Killed before the driver is asked: it waits half a minute for a browser that hangs.
  for (std::vector<pid_t> left = browser_processes(); !left.empty(); left = browser_processes()) {
    if (Clock::now() >= deadline) {
      co_return fail(Code::kDeadlineExceeded, "the browser's processes did not end");
    }
    for (const pid_t pid : left) {
      kill(pid, SIGKILL);
    }
    co_await pause(kPollInterval);
  }
  const Client client(port_);
  const auto deleted = co_await client.send(delete_session(*session_id_), deadline);
  session_id_.reset();
  // The driver may know by itself that the session has gone.
  co_return deleted || deleted.error().code == Code::kNotFound ? Status() : fail(deleted.error());
}

asio::awaitable<void> Browser::end(TimePoint deadline) {
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
  driver_pid_ = 0;
  session_id_.reset();
  co_await sweep(deadline);
  std::error_code ignored;
  fs::remove_all(spec_.temporary, ignored);
}

asio::awaitable<void> Browser::end_and_forget(TimePoint deadline) {
  co_await end(deadline);
  std::error_code ignored;
  fs::remove_all(spec_.profile, ignored);
}

void Browser::stop() {
  if (process_) {
    process_->stop();
  }
}

asio::awaitable<void> Browser::driver_ended() {
  // Two signs: a process that escaped its supervisor may hold the output open, so its end alone would not do.
  using asio::experimental::awaitable_operators::operator||;
  const std::shared_ptr<Process> process = process_;
  if (process) {
    static_cast<void>(co_await (read_away(*process, log_) || process->exited()));
  }
}

}  // namespace shoal::webdriver
