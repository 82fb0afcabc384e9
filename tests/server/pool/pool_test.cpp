#include "tests/server/pool/pool_fixture.hpp"

namespace shoal::pool {
namespace {

TEST_F(PoolTest, ABrowserBecomesAWorkerThatLoadsAndRuns) {
  config.memory_interval = 20ms;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    EXPECT_EQ(listener.worker->state().slot, "chromium/0");
    EXPECT_EQ(listener.worker->state().backends, std::vector<Backend>{Backend::kWasm});
    EXPECT_EQ(listener.worker->state().why_not.size(), 2U);
    std::optional<Result<LoadOutcome>> loaded;
    listener.worker->load(
        {.instance = "echo", .backend = Backend::kWasm, .graph = {}, .external = {}, .free_dimensions = {}, .echo = {}},
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

TEST_F(PoolTest, AWornBrowserIsReplacedWhenItIsIdle) {
  config.wear.max_runs = 2;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    run("echo");
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; }));
    EXPECT_EQ(listener.worn_count, 0);
    run("echo");
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 2 && listener.ready_count == 2; }));
    EXPECT_EQ(listener.worn_count, 1);
    EXPECT_TRUE(outcomes.at(0).has_value() && outcomes.at(1).has_value()) << "nothing was lost";
    EXPECT_THAT(pool->snapshot().at(0).reason, ::testing::HasSubstr("worn: 2 runs, the limit is 2"));
  });
}

TEST_F(PoolTest, TheLargestBrowserGoesWhenAllTogetherTakeTooMuch) {
  config.memory_interval = 20ms;
  config.total_memory_bytes = 1;
  config.wear.memory_grace = 50ms;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    EXPECT_TRUE(co_await until([&] { return pool->memory().is_pressed(); }));
    EXPECT_GT(pool->memory().total_bytes(), 1U);
    EXPECT_TRUE(co_await until([&] { return listener.ready_count >= 2; }));
    EXPECT_GE(listener.worn_count, 1);
    EXPECT_THAT(pool->snapshot().at(0).reason, ::testing::HasSubstr("worn: it takes most of the"));
  });
  EXPECT_EQ(listener.pressed_count, 0) << "it has no limit of its own";
  const std::vector<Event> all = events.ring().after(0, 64);
  EXPECT_TRUE(
      std::ranges::any_of(all, [](const Event& event) { return event.slot == "pool" && event.to == "pressed"; }));
}

TEST_F(PoolTest, ABrowserNearItsOwnLimitIsTold) {
  config.memory_interval = 20ms;
  config.wear.max_memory_bytes = 1;
  config.wear.memory_grace = 1min;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    EXPECT_TRUE(co_await until([&] { return listener.pressed_count == 1; }));
    EXPECT_TRUE(pool->memory().is_pressed("chromium/0"));
    EXPECT_TRUE(pool->set_memory_limit("chromium/0", 1ULL << 40));
    EXPECT_TRUE(co_await until([&] { return listener.pressed_count == 0; }));
  });
  EXPECT_EQ(listener.ready_count, 1);
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
      Pool refused(executor, cpu, config, Log::discard(), listener, events);
      const Status started = refused.start("http://127.0.0.1:1/agent/");
      EXPECT_EQ(started.error().code, Code::kInvalidArgument);
      EXPECT_THAT(started.error().message, ::testing::HasSubstr(words));
      co_await refused.close();
      cpu.join();
    });
  }
}

TEST_F(PoolTest, TwoServersDoNotShareAHome) {
  with_pool([this]() -> asio::awaitable<void> {
    asio::thread_pool cpu(1);
    Pool second(co_await asio::this_coro::executor, cpu, config, Log::discard(), listener, events);
    const Status started = second.start("http://127.0.0.1:1/agent/");
    EXPECT_THAT(started.error().message, ::testing::HasSubstr("another server runs its browsers in"));
    co_await second.close();
    cpu.join();
  });
}

// The states that the events lead through, which must not leave one out.
std::vector<std::string> story(const EventLog& events) {
  std::vector<std::string> states;
  for (const Event& event : events.ring().after(0, 1000)) {
    EXPECT_EQ(event.from, states.empty() ? "" : states.back()) << event.sequence;
    states.push_back(event.to);
  }
  return states;
}

TEST_F(PoolTest, ADrainedSlotFinishesWhatItHasAndItsEventsTellSo) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    const std::uint64_t work = run("never");
    EXPECT_EQ(pool->drain("chromium/1", "x").error().code, Code::kNotFound);
    EXPECT_TRUE(pool->drain("chromium/0", "a new disk"));
    EXPECT_EQ(pool->snapshot().at(0).state, SlotState::kDraining);
    listener.worker->cancel(work);
    EXPECT_TRUE(co_await until([&] { return pool->snapshot().at(0).state == SlotState::kDrained; }));
    EXPECT_TRUE(pool->recycle_when_idle("chromium/0", "a new browser"));
    co_await ready(2);
    EXPECT_TRUE(co_await until([&] { return pool->snapshot().at(0).state == SlotState::kDrained; })) << "still";
    EXPECT_TRUE(pool->resume("chromium/0"));
    EXPECT_EQ(pool->snapshot().at(0).state, SlotState::kReady);
  });
  const std::vector<std::string> states = story(events);
  std::vector<std::string> seen = states;
  std::erase(seen, "connecting");  // a hello may be faster than the launch
  EXPECT_EQ(seen, (std::vector<std::string>{"launching", "ready", "draining", "drained", "losing", "launching",
                                            "draining", "drained", "ready", "losing", "closed"}));
  const Event drained =
      events.ring().after(0, 1000).at(static_cast<std::size_t>(std::ranges::find(states, "draining") - states.begin()));
  EXPECT_EQ(drained.reason, "a new disk");
}

TEST_F(PoolTest, RecyclingWaitsForTheWorkAndResumingTakesItBack) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    const std::uint64_t work = run("never");
    EXPECT_TRUE(pool->recycle_when_idle("chromium/0", "old"));
    asio::steady_timer timer(co_await asio::this_coro::executor, 600ms);
    co_await net::wait(timer);
    EXPECT_EQ(listener.lost_count, 0);
    EXPECT_TRUE(pool->resume("chromium/0"));
    listener.worker->cancel(work);
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; }));
    timer.expires_after(600ms);
    co_await net::wait(timer);
    EXPECT_EQ(listener.lost_count, 0);
    EXPECT_TRUE(pool->recycle_when_idle("chromium/0", "old"));
    co_await ready(2);
    EXPECT_EQ(listener.reason, "old");
  });
}

TEST_F(PoolTest, KillIsALossLikeAnyOther) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    EXPECT_EQ(pool->kill("chromium/1").error().code, Code::kNotFound);
    run("never");
    EXPECT_TRUE(pool->kill("chromium/0"));
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; }));
    EXPECT_EQ(only_error(), Code::kWorkerLost);
    co_await ready(2);
  });
  std::optional<Event> recovered;
  for (const Event& event : events.ring().after(0, 1000)) {
    recovered = event.outage ? std::optional(event) : recovered;
  }
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->to, "ready");
  EXPECT_TRUE(recovered->loss == Loss::kCrashed || recovered->loss == Loss::kDriver) << loss_name(recovered->loss);
  EXPECT_TRUE(recovered->launched_in);
}

}  // namespace
}  // namespace shoal::pool
