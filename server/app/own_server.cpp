#include "server/app/own_server.hpp"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "server/app/agent_bundle.hpp"
#include "server/app/http_call.hpp"
#include "server/net/deadline.hpp"

namespace shoal::app {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

constexpr auto kStartPatience = std::chrono::seconds(20);
constexpr auto kReadyPatience = std::chrono::seconds(120);
constexpr auto kPoll = std::chrono::milliseconds(20);

std::string absolute_text(const fs::path& path) { return fs::absolute(path).string(); }

std::vector<std::string> command_of(const Settings& settings, const std::string& program, const fs::path& repository) {
  const fs::path browser = settings.headless_shell.empty()
                               ? fs::path(settings.home) / "tools/headless_shell/headless_shell.sh"
                               : fs::path(settings.headless_shell);
  return {program,
          "serve",
          "--server-host=127.0.0.1",
          "--server-http-port=0",
          "--server-grpc-port=0",
          "--server-metrics-port=0",
          "--log-format=json",
          "--log-level=info",
          "--auth-enabled=false",
          "--join-enabled=false",
          "--tls-enabled=false",
          "--models-control=none",
          "--models-warm-up=default",
          "--pool-browsers=kind=headless_shell,count=1,backends=wasm",
          "--pool-headless-shell=" + absolute_text(browser),
          "--agent-dir=" + absolute_text(find_agent(settings)),
          "--models-repository=" + absolute_text(repository)};
}

// The address on which it listens, out of its log.
asio::awaitable<Result<std::string>> listens_at(webdriver::Process& process) {
  std::string last = "it said nothing";
  for (;;) {
    const auto line = co_await process.read_line();
    if (!line) {
      co_return fail(Code::kUnavailable, fmt::format("the server of this command did not start: {}", last));
    }
    last = *line;
    const auto event = nlohmann::json::parse(*line, nullptr, false);
    if (event.is_object() && event.value("event", "") == "listening") {
      co_return fmt::format("127.0.0.1:{}", event.value("http", 0));
    }
  }
}

asio::awaitable<void> drain(std::shared_ptr<webdriver::Process> process) {
  while (co_await process->read_line()) {
  }
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<OwnServer>>> OwnServer::start(asio::any_io_executor executor,
                                                                     const Settings& settings, const fs::path& home,
                                                                     const fs::path& repository) {
  std::error_code error;
  const std::string program = fs::read_symlink("/proc/self/exe", error).string();
  auto process = webdriver::Process::start(executor, {.supervisor = "/proc/self/exe",
                                                      .arguments = command_of(settings, program, repository),
                                                      .environment = {{"SHOAL_HOME", home.string()}},
                                                      .directory = home.string(),
                                                      .remove_if_orphaned = {home.string()}});
  if (!process) {
    co_return fail(std::move(process.error()));
  }
  auto address = co_await net::with_deadline(Clock::now() + kStartPatience, "starting a server", listens_at(**process));
  if (!address) {
    co_return fail(std::move(address.error()));
  }
  std::unique_ptr<OwnServer> made(new OwnServer(std::move(*process), std::move(*address)));
  // A log that nobody reads would hold the server up.
  asio::co_spawn(executor, drain(made->process_), asio::detached);
  co_return made;
}

asio::awaitable<Status> OwnServer::ready(std::string model) {
  const auto call = HttpCall::to(address_);
  const std::string path = fmt::format("/v2/models/{}/ready", model);
  const TimePoint until = Clock::now() + kReadyPatience;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    const auto reply = co_await call->send("GET", path, {});
    if (!reply || reply->status == 200) {
      co_return reply ? Status() : fail(reply.error());
    }
    if (Clock::now() >= until) {
      co_return fail(Code::kUnavailable, fmt::format("no browser has the model: {}", reply->body));
    }
    timer.expires_after(kPoll);
    co_await net::wait(timer);
  }
}

asio::awaitable<void> OwnServer::end() {
  process_->stop();
  co_await process_->exited();
}

}  // namespace shoal::app
