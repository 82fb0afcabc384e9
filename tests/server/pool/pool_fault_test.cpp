// What the pool does when a process is killed, stops or misbehaves.
#include "tests/server/pool/pool_fixture.hpp"

namespace shoal::pool {
namespace {

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
    EXPECT_EQ(listener.reason, "the agent leaves: asked to");
    co_await ready(++lives);
    outcomes.clear();
    run("error");
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; }));
    EXPECT_EQ(only_error(), Code::kOperatorNotSupported);
    EXPECT_EQ(listener.lost_count, lives - 1);
  });
}

TEST_F(PoolTest, ACutConnectionIsResumedAndWhatWasInHandIsAnsweredOnce) {
  config.resume_grace = 5s;
  for (const char* deed : {"forget", "hold"}) {
    outcomes.clear();
    listener.ready_count = listener.lost_count = 0;
    with_pool([this, deed]() -> asio::awaitable<void> {
      co_await ready(1);
      const auto before = tree();
      run(deed, std::string(600'000, 'x'));
      run("echo", "abc");
      EXPECT_TRUE(co_await until([&] { return outcomes.size() == 2; })) << deed;
      for (const auto& outcome : outcomes) {
        EXPECT_TRUE(outcome) << deed << ": " << (outcome ? "" : outcome.error().message);
      }
      EXPECT_EQ(listener.lost_count, 0) << deed;
      EXPECT_EQ(tree(), before) << deed;
      EXPECT_EQ(pool->snapshot().at(0).state, SlotState::kReady);
      outcomes.clear();
      run("echo", "again");
      EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; })) << deed;
      EXPECT_TRUE(outcomes.at(0)) << deed;
    });
  }
}

TEST_F(PoolTest, AnAgentThatDoesNotComeBackWithinTheGraceIsLost) {
  config.resume_grace = 200ms;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    const TimePoint began = Clock::now();
    run("gone");
    EXPECT_TRUE(co_await until([&] { return listener.lost_count == 1; }));
    EXPECT_GE(Clock::now() - began, 190ms);
    EXPECT_EQ(only_error(), Code::kWorkerLost);
    co_await ready(2);
  });
}

TEST_F(PoolTest, NobodyWaitsForTheAgentOfABrowserThatIsGone) {
  config.resume_grace = 10s;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    const TimePoint began = Clock::now();
    run("die");
    co_await ready(2);
    EXPECT_LT(Clock::now() - began, 5s);
    EXPECT_EQ(only_error(), Code::kWorkerLost);
  });
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
