// The whole pool over real sockets and processes, with a driver and an agent of the tests' own (fake_browser.hpp).
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "server/net/deadline.hpp"
#include "server/net/task_group.hpp"
#include "server/pool/agent_session.hpp"
#include "server/pool/pool.hpp"
#include "server/webdriver/process_tree.hpp"
#include "server/wire/frame.hpp"
#include "tests/support/loopback_websocket.hpp"
#include "tests/support/run_on_lane.hpp"

namespace shoal::pool {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using asio::ip::tcp;
using testing_support::Client;

inline constexpr auto kPatience = 20s;

// Whoever is lost has been answered before; records what happens.
struct Listener final : WorkerListener {
  void worker_ready(Worker& ready) override {
    ++ready_count;
    worker = &ready;
  }
  void worker_worn(const std::string& slot) override {
    EXPECT_EQ(slot, "chromium/0");
    ++worn_count;
  }
  void worker_pressed(const std::string& slot, bool is_pressed) override {
    EXPECT_EQ(slot, "chromium/0");
    pressed_count += is_pressed ? 1 : -1;
  }
  void worker_lost(const std::string& slot, const std::string& why) override {
    EXPECT_EQ(slot, "chromium/0");
    ++lost_count;
    reason = why;
    worker = nullptr;
    pending_at_loss = pending;
  }
  Worker* worker = nullptr;
  int ready_count = 0;
  int worn_count = 0;
  int pressed_count = 0;
  int lost_count = 0;
  int pending = 0;
  int pending_at_loss = 0;
  std::string reason;
};

// The part of the HTTP front end that the pool needs.
inline asio::awaitable<void> hand_over(tcp::acceptor& acceptor, Pool& pool) {
  for (;;) {
    auto incoming = co_await testing_support::accept_upgrade(acceptor);
    pool.accept(std::move(incoming.socket), std::move(incoming.request));
  }
}

class PoolTest : public ::testing::Test {
 protected:
  PoolTest() {
    config.groups = {
        {.kind = "chromium", .browser_path = "/proc/self/exe", .driver_path = self(), .extra_arguments = {}}};
    config.home = home;
    config.first_backoff = 10ms;
    config.stable_after = 0ms;
    unsetenv("FAKE_AGENT_BUILD");
  }
  ~PoolTest() override {
    fs::remove_all(home);
    if (HasFailure()) {
      std::fputs(lines.c_str(), stderr);
    }
  }

  static std::string self() { return fs::read_symlink("/proc/self/exe"); }

  // Starts the pool, runs `body`, closes the pool, and checks that nothing is left.
  void with_pool(std::function<asio::awaitable<void>()> body) {
    testing_support::run_on_lane([&](asio::any_io_executor executor) -> asio::awaitable<void> {
      tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), 0});
      port = acceptor.local_endpoint().port();
      asio::thread_pool cpu(1);
      pool = std::make_unique<Pool>(executor, cpu, config, log, listener, events);
      net::TaskGroup front(executor, Log::discard());
      front.spawn("front end", hand_over(acceptor, *pool));
      const Status started = pool->start("http://127.0.0.1:" + std::to_string(port) + "/agent/");
      EXPECT_TRUE(started) << started.error().message;
      co_await body();
      co_await pool->close();
      EXPECT_TRUE(processes().empty());
      EXPECT_EQ(listener.ready_count, listener.lost_count);
      EXPECT_EQ(listener.pending, 0);
      EXPECT_EQ(pool->snapshot().at(0).state, SlotState::kClosed);
      co_await front.close();
      pool.reset();
      cpu.join();
    });
    EXPECT_FALSE(fs::exists(home + "/profiles/chromium-0"));
  }

  template <class Condition>
  asio::awaitable<bool> until(Condition condition) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (const TimePoint end = Clock::now() + kPatience; !condition();) {
      if (Clock::now() > end) {
        co_return false;
      }
      timer.expires_after(1ms);
      co_await net::wait(timer);
    }
    co_return true;
  }
  asio::awaitable<void> ready(int count) {
    EXPECT_TRUE(co_await until([&] { return listener.ready_count >= count && listener.worker != nullptr; }))
        << listener.reason;
  }

  std::uint64_t run(const std::string& instance, std::string bytes = "abcd", TimePoint deadline = kNoDeadline) {
    ++listener.pending;
    const auto size = static_cast<std::int64_t>(bytes.size());
    auto inputs = std::make_shared<std::vector<Tensor>>();
    inputs->push_back({.name = "x", .datatype = DataType::kUint8, .shape = {size}, .data = std::move(bytes)});
    return listener.worker->run(
        {.instance = instance, .inputs = inputs, .outputs = {}, .pooling = {}, .deadline = deadline},
        [this](Result<RunOutcome> outcome) {
          --listener.pending;
          outcomes.push_back(std::move(outcome));
        });
  }
  // The only answer, which must be an error.
  [[nodiscard]] Code only_error() const {
    return outcomes.size() == 1 && !outcomes[0] ? outcomes[0].error().code : Code{};
  }

  [[nodiscard]] std::vector<pid_t> processes() const {
    return webdriver::processes_with_environment("SHOAL_PROFILE=" + fs::absolute(home).string() +
                                                 "/profiles/chromium-0");
  }
  // Supervisor, driver and browser, from the root down.
  [[nodiscard]] std::vector<pid_t> tree() const {
    const auto all = processes();
    for (const pid_t pid : all) {
      auto below = webdriver::descendants(pid);
      if (below.size() + 1 == all.size()) {
        below.insert(below.begin(), pid);
        return below;
      }
    }
    return {};
  }

  std::string home = (fs::temp_directory_path() / ("shoal_pool_test_" + std::to_string(getpid()))).string();
  PoolConfig config;
  // What the pool and its processes said is shown when a test fails.
  std::string lines;
  Log log{[this](LogLevel, std::string_view line) { lines.append(line).append("\n"); }, LogLevel::kDebug,
          Log::Format::kText};
  Listener listener;
  EventLog events{64, log};
  std::unique_ptr<Pool> pool;
  std::uint16_t port = 0;
  std::vector<Result<RunOutcome>> outcomes;
};

}  // namespace shoal::pool
