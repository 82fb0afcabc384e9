// The whole pool over real sockets and processes, with a driver and an agent of the test's own (fake_browser.hpp).
#include "server/pool/pool.hpp"

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
#include "server/webdriver/process_tree.hpp"
#include "server/wire/frame.hpp"
#include "tests/support/loopback_websocket.hpp"
#include "tests/support/run_on_lane.hpp"

namespace shoal::pool {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using asio::ip::tcp;
using testing_support::Client;

constexpr auto kPatience = 20s;

// Whoever is lost has been answered before; records what happens.
struct Listener final : WorkerListener {
  void worker_ready(Worker& ready) override {
    ++ready_count;
    worker = &ready;
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
  int lost_count = 0;
  int pending = 0;
  int pending_at_loss = 0;
  std::string reason;
};

// The part of the HTTP front end that the pool needs.
asio::awaitable<void> hand_over(tcp::acceptor& acceptor, Pool& pool) {
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
      pool = std::make_unique<Pool>(executor, cpu, config, log, listener);
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
  std::unique_ptr<Pool> pool;
  std::uint16_t port = 0;
  std::vector<Result<RunOutcome>> outcomes;
};

TEST_F(PoolTest, ABrowserBecomesAWorkerThatLoadsAndRuns) {
  config.memory_interval = 20ms;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    EXPECT_EQ(listener.worker->state().slot, "chromium/0");
    EXPECT_EQ(listener.worker->state().backends, std::vector<Backend>{Backend::kWasm});
    EXPECT_EQ(listener.worker->state().why_not.size(), 2U);
    std::optional<Result<LoadOutcome>> loaded;
    listener.worker->load(
        {.instance = "echo", .backend = Backend::kWasm, .graph = {}, .external = {}, .free_dimensions = {}},
        [&](Result<LoadOutcome> outcome) { loaded = std::move(outcome); });
    EXPECT_FALSE(loaded);
    EXPECT_TRUE(co_await until([&] { return loaded.has_value(); }));
    EXPECT_TRUE(*loaded);
    EXPECT_EQ((*loaded)->nodes.at("wasm"), 3U);
    std::string large(3'000'000, '\0');
    for (std::size_t index = 0; index < large.size(); ++index) {
      large[index] = static_cast<char>(index * 7);
    }
    run("echo", large);
    run("echo", "small");
    run("echo", "");
    EXPECT_TRUE(outcomes.empty());
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 3; }));
    std::size_t whole = 0;
    for (const auto& outcome : outcomes) {
      EXPECT_TRUE(outcome) << outcome.error().message;
      if (!outcome) {
        continue;
      }
      EXPECT_EQ(outcome->compute_us, 7U);
      whole += outcome->outputs.at(0).data == large ? 1 : 0;
    }
    EXPECT_EQ(whole, 1U);
    if (listener.worker == nullptr) {
      co_return;
    }
    listener.worker->unload("echo");
    EXPECT_TRUE(co_await until([&] { return listener.worker->state().memory_bytes > 0; }));
    EXPECT_TRUE(co_await until([&] { return pool->snapshot().at(0).wasm_bytes == 1234; }));
    EXPECT_TRUE(co_await until([&] { return pool->snapshot().at(0).pending_work == 0; }));
    EXPECT_EQ(pool->snapshot().at(0).restarts, 0U);
  });
}

TEST_F(PoolTest, AKilledBrowserLosesNothingSilentlyAndIsReplacedOnItsDriver) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    for (int count = 0; count < 50; ++count) {
      run("never");
    }
    const auto before = tree();
    EXPECT_EQ(before.size(), 3U);
    kill(before.at(2), SIGKILL);
    const TimePoint killed = Clock::now();
    EXPECT_TRUE(co_await until([&] { return listener.lost_count == 1; }));
    EXPECT_EQ(listener.pending_at_loss, 0);
    EXPECT_EQ(outcomes.size(), 50U);
    for (const auto& outcome : outcomes) {
      EXPECT_EQ(outcome.error().code, Code::kWorkerLost);
    }
    co_await ready(2);
    EXPECT_LT(Clock::now() - killed, 3s);
    const auto after = tree();
    EXPECT_EQ(after.size(), 3U);
    EXPECT_EQ(after.at(0), before.at(0));
    EXPECT_EQ(after.at(1), before.at(1));
    EXPECT_EQ(pool->snapshot().at(0).restarts, 1U);
  });
}

TEST_F(PoolTest, AKilledDriverIsReplacedWithItsBrowser) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    run("never");
    const auto before = tree();
    kill(before.at(1), SIGKILL);
    co_await ready(2);
    EXPECT_EQ(only_error(), Code::kWorkerLost);
    EXPECT_TRUE(co_await until([&] { return kill(before[0], 0) != 0 && kill(before[2], 0) != 0; }));
    EXPECT_EQ(tree().size(), 3U);
  });
}

TEST_F(PoolTest, AKilledSupervisorLeavesNoStrays) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    kill(tree().at(0), SIGKILL);
    co_await ready(2);
    EXPECT_EQ(processes().size(), 3U);
  });
}

TEST_F(PoolTest, AStoppedBrowserIsSeenAndReplaced) {
  config.link_silence = 400ms;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    run("stop");
    co_await ready(2);
    EXPECT_EQ(only_error(), Code::kWorkerLost);
    EXPECT_THAT(listener.reason, ::testing::StartsWith("hung: no message for"));
  });
}

TEST_F(PoolTest, ARunWithoutAnAnswerPastItsGraceIsAHang) {
  config.run_grace = 100ms;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    run("never", "abcd", Clock::now() + 50ms);
    co_await ready(2);
    EXPECT_EQ(only_error(), Code::kWorkerLost);
    EXPECT_THAT(listener.reason, ::testing::HasSubstr("has no answer"));
  });
}

TEST_F(PoolTest, WhateverTheAgentDoesWrongEndsOnlyItself) {
  with_pool([this]() -> asio::awaitable<void> {
    int lives = 0;
    for (const char* deed : {"garbage", "die", "leave"}) {
      co_await ready(++lives);
      outcomes.clear();
      run(deed);
      EXPECT_TRUE(co_await until([&] { return listener.lost_count == lives; })) << deed;
      EXPECT_EQ(only_error(), Code::kWorkerLost) << deed;
    }
    co_await ready(++lives);
    outcomes.clear();
    run("error");
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; }));
    EXPECT_EQ(only_error(), Code::kOperatorNotSupported);
    EXPECT_EQ(listener.lost_count, lives - 1);
  });
}

TEST_F(PoolTest, CancelIsAnsweredOnceWhereverTheRunIs) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    const std::uint64_t unsent = run("echo", std::string(1'000'000, 'x'));
    listener.worker->cancel(unsent);
    EXPECT_TRUE(outcomes.empty());
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; }));
    EXPECT_EQ(outcomes[0].error().message, "cancelled before it was sent");
    const std::uint64_t sent = run("never");
    EXPECT_NE(sent, unsent);
    asio::steady_timer timer(co_await asio::this_coro::executor, 20ms);
    co_await net::wait(timer);
    listener.worker->cancel(sent);
    listener.worker->cancel(999);
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 2; }));
    EXPECT_EQ(outcomes[1].error().code, Code::kCancelled);
    EXPECT_EQ(listener.lost_count, 0);
  });
}

TEST_F(PoolTest, WorkBeyondTheBoundsIsRefusedLater) {
  config.max_pending_work = 2;
  config.max_pending_bytes = 1000;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    run("never", std::string(1001, 'x'));
    EXPECT_TRUE(outcomes.empty());
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; }));
    EXPECT_EQ(only_error(), Code::kOverloaded);
    outcomes.clear();
    run("never");
    run("never");
    run("never");
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; }));
    EXPECT_EQ(only_error(), Code::kOverloaded);
  });
}

TEST_F(PoolTest, AnotherBuildIsReloadedOnceThenQuarantined) {
  config.agent_build = "ours";
  setenv("FAKE_AGENT_BUILD", "theirs", 1);
  with_pool([this]() -> asio::awaitable<void> {
    EXPECT_TRUE(co_await until([&] { return pool->snapshot().at(0).state == SlotState::kQuarantined; }));
    EXPECT_EQ(pool->snapshot().at(0).restarts, 1U);
    EXPECT_THAT(pool->snapshot().at(0).reason, ::testing::HasSubstr("build"));
    EXPECT_TRUE(processes().empty());
    setenv("FAKE_AGENT_BUILD", "ours", 1);
    EXPECT_TRUE(pool->recycle("chromium/0", "asked for"));
    co_await ready(1);
  });
}

TEST_F(PoolTest, RecycleReplacesTheBrowser) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    const auto before = tree();
    EXPECT_EQ(pool->recycle("chromium/1", "x").error().code, Code::kNotFound);
    run("never");
    EXPECT_TRUE(pool->recycle("chromium/0", "asked for"));
    EXPECT_EQ(only_error(), Code::kWorkerLost);
    co_await ready(2);
    EXPECT_EQ(listener.reason, "asked for");
    EXPECT_NE(tree().at(0), before.at(0));
  });
}

TEST_F(PoolTest, StrangersAreTurnedAway) {
  config.hello_timeout = 100ms;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    const auto executor = co_await asio::this_coro::executor;
    const tcp::endpoint server(asio::ip::address_v4::loopback(), port);
    const std::string origin = "http://127.0.0.1:" + std::to_string(port);
    Client evil(executor);
    EXPECT_FALSE(co_await testing_support::connect(evil, server, "http://evil.example"));

    agent::v1::Envelope envelope;
    envelope.mutable_hello()->set_slot("chromium/0");
    envelope.mutable_hello()->set_token("guess");
    for (const std::string& first : {wire::encode_frame(envelope), std::string("garbage"), std::string()}) {
      Client client(executor);
      EXPECT_TRUE(co_await testing_support::connect(client, server, origin));
      if (!first.empty()) {
        co_await testing_support::write_message(client, first);
      }
      EXPECT_FALSE(co_await testing_support::read_message(client));
      if (!first.empty()) {  // who says nothing is cut without a word
        EXPECT_EQ(client.reason().code, first == "garbage" ? kCloseProtocol : kCloseRefused);
      }
    }
    EXPECT_EQ(listener.lost_count, 0);
    run("echo");
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; }));
  });
}

TEST_F(PoolTest, CloseDuringALaunchLeavesNothing) {
  with_pool([]() -> asio::awaitable<void> { co_return; });
  EXPECT_EQ(listener.ready_count, 0);
}

TEST_F(PoolTest, ADriverThatDoesNotStartBacksOff) {
  config.groups[0].driver_path = "/bin/false";
  with_pool([this]() -> asio::awaitable<void> {
    EXPECT_TRUE(co_await until([&] { return pool->snapshot().at(0).restarts >= 3; }));
    EXPECT_THAT(pool->snapshot().at(0).reason, ::testing::HasSubstr("/bin/false did not start"));
  });
}

TEST_F(PoolTest, AConfigurationThatCannotRunIsRefused) {
  for (const auto& [kind, path, words] : {std::tuple("netscape", "/bin/true", "there are: headless_shell, chromium"),
                                          std::tuple("chromium", "/no/such/browser", "is not an executable file")}) {
    config.groups = {{.kind = kind, .browser_path = path, .driver_path = self(), .extra_arguments = {}}};
    testing_support::run_on_lane([&](asio::any_io_executor executor) -> asio::awaitable<void> {
      asio::thread_pool cpu(1);
      Pool refused(executor, cpu, config, Log::discard(), listener);
      const Status started = refused.start("http://127.0.0.1:1/agent/");
      EXPECT_EQ(started.error().code, Code::kInvalidArgument);
      EXPECT_THAT(started.error().message, ::testing::HasSubstr(words));
      co_await refused.close();
      cpu.join();
    });
  }
}

TEST_F(PoolTest, FiftyRoundsOfKillingLeakNothing) {
  with_pool([this]() -> asio::awaitable<void> {
    const auto open_files = [] {
      return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    std::ptrdiff_t files = 0;
    for (int round = 1; round <= 50; ++round) {
      co_await ready(round);
      outcomes.clear();
      run("never");
      run("echo");
      const auto now = tree();
      if (now.size() != 3U) {
        ADD_FAILURE() << now.size() << " processes in round " << round;
        co_return;
      }
      kill(now[round % 5 == 0 ? 1 : 2], SIGKILL);
      EXPECT_TRUE(co_await until([&] { return listener.lost_count == round; }));
      EXPECT_EQ(outcomes.size(), 2U);
      if (round == 10) {
        files = open_files();
      }
    }
    co_await ready(51);
    EXPECT_LE(open_files(), files + 8);
    EXPECT_EQ(processes().size(), 3U);
  });
}

}  // namespace
}  // namespace shoal::pool
