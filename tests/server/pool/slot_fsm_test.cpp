#include "server/pool/slot_fsm.hpp"

#include <gtest/gtest.h>

#include <random>

namespace shoal::pool {
namespace {

using namespace std::chrono_literals;
using Action = SlotFsm::Action;

class SlotFsmTest : public ::testing::Test {
 protected:
  void become_ready() {
    ASSERT_EQ(fsm.next(now), Action::kLaunch);
    ASSERT_TRUE(fsm.launched(now));
    ASSERT_TRUE(fsm.hello(now));
    ASSERT_EQ(fsm.state(), SlotState::kReady);
  }
  void tear_down(Teardown expected) {
    ASSERT_EQ(fsm.next(now), Action::kTearDown);
    EXPECT_EQ(fsm.teardown(), expected);
    EXPECT_EQ(fsm.next(now), Action::kWait);
    fsm.torn_down(now);
  }

  TimePoint now = TimePoint(1000s);
  SlotFsm fsm{SlotTiming{.connect_timeout = 30s, .stable_after = 2s, .first_backoff = 500ms, .longest_backoff = 4s}};
};

TEST_F(SlotFsmTest, LaunchesOnceAndBecomesReady) {
  become_ready();
  EXPECT_EQ(fsm.next(now), Action::kWait);
  EXPECT_EQ(fsm.wake_at(), kNoDeadline);
  EXPECT_EQ(fsm.launches(), 1U);
}

TEST_F(SlotFsmTest, AHelloMayComeBeforeTheLaunchHasReturned) {
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  EXPECT_TRUE(fsm.hello(now));
  EXPECT_FALSE(fsm.launched(now));
  EXPECT_EQ(fsm.state(), SlotState::kReady);
}

TEST_F(SlotFsmTest, AFirstLossRelaunchesAtOnceOnTheSameDriver) {
  become_ready();
  now += 10s;
  EXPECT_TRUE(fsm.lost(now, "crashed", Teardown::kBrowser));
  EXPECT_FALSE(fsm.lost(now, "again", Teardown::kAll));
  EXPECT_EQ(fsm.reason(), "crashed");
  tear_down(Teardown::kBrowser);
  EXPECT_EQ(fsm.next(now), Action::kLaunch);
}

TEST_F(SlotFsmTest, LossesInARowBackOffExponentiallyUpToTheLongest) {
  std::vector<Duration> waits;
  for (int loss = 0; loss < 7; ++loss) {
    become_ready();
    now += 100ms;
    ASSERT_TRUE(fsm.lost(now, "crashed", Teardown::kBrowser));
    tear_down(Teardown::kBrowser);
    const Duration wait = fsm.state() == SlotState::kBackingOff ? fsm.wake_at() - now : 0s;
    if (wait > 0s) {
      EXPECT_EQ(fsm.next(now), Action::kWait);
    }
    waits.push_back(wait);
    now += wait;
  }
  EXPECT_EQ(waits, (std::vector<Duration>{0s, 500ms, 1s, 2s, 4s, 4s, 4s}));
}

TEST_F(SlotFsmTest, AStableLifeForgivesEarlierLosses) {
  for (int loss = 0; loss < 50; ++loss) {
    become_ready();
    now += 2s;
    ASSERT_TRUE(fsm.lost(now, "crashed", Teardown::kBrowser));
    tear_down(Teardown::kBrowser);
    ASSERT_EQ(fsm.state(), SlotState::kLaunching);
  }
}

TEST_F(SlotFsmTest, NoHelloInTimeIsALoss) {
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  ASSERT_TRUE(fsm.launched(now));
  now = fsm.wake_at();
  tear_down(Teardown::kAll);
  EXPECT_EQ(fsm.next(now), Action::kLaunch);
}

TEST_F(SlotFsmTest, AFailedLaunchTakesTheDriverDown) {
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  EXPECT_TRUE(fsm.launch_failed("no such file"));
  tear_down(Teardown::kAll);
  EXPECT_EQ(fsm.next(now), Action::kLaunch);
  EXPECT_TRUE(fsm.launch_failed("no such file"));
  tear_down(Teardown::kAll);
  EXPECT_EQ(fsm.state(), SlotState::kBackingOff);
  EXPECT_FALSE(fsm.hello(now));
}

TEST_F(SlotFsmTest, OneMismatchReloadsWithoutCacheTheSecondIsQuarantine) {
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  ASSERT_TRUE(fsm.launched(now));
  EXPECT_TRUE(fsm.mismatch("build"));
  tear_down(Teardown::kProfile);
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  EXPECT_TRUE(fsm.mismatch("build"));
  tear_down(Teardown::kProfile);
  EXPECT_EQ(fsm.state(), SlotState::kQuarantined);
  now += 24h;
  EXPECT_EQ(fsm.next(now), Action::kWait);
  EXPECT_TRUE(fsm.recycle("asked for", Teardown::kAll));
  tear_down(Teardown::kAll);
  become_ready();
}

TEST_F(SlotFsmTest, ALossDuringALaunchWaitsForTheShell) {
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  EXPECT_TRUE(fsm.lost(now, "the driver ended", Teardown::kAll));
  EXPECT_FALSE(fsm.launched(now));
  EXPECT_FALSE(fsm.launch_failed("late"));
  tear_down(Teardown::kAll);
  EXPECT_EQ(fsm.next(now), Action::kLaunch);
}

TEST_F(SlotFsmTest, CloseLeavesNothingWhateverTheState) {
  become_ready();
  fsm.close();
  tear_down(Teardown::kProfile);
  EXPECT_EQ(fsm.next(now), Action::kStop);
  EXPECT_FALSE(fsm.recycle("late", Teardown::kAll));
  EXPECT_EQ(fsm.next(now), Action::kStop);
}

TEST_F(SlotFsmTest, CloseDuringALesserTeardownAddsTheRest) {
  become_ready();
  ASSERT_TRUE(fsm.lost(now, "crashed", Teardown::kBrowser));
  ASSERT_EQ(fsm.next(now), Action::kTearDown);
  fsm.close();
  fsm.torn_down(now);
  tear_down(Teardown::kProfile);
  EXPECT_EQ(fsm.next(now), Action::kStop);
}

// Whatever happens in whatever order: the shell has at most one thing at hand, backs off only within the bound, and
// after close() the machine reaches closed through a full teardown.
TEST_F(SlotFsmTest, RandomEventsKeepTheInvariants) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    SlotFsm machine({.connect_timeout = 30s, .stable_after = 2s, .first_backoff = 500ms, .longest_backoff = 4s});
    Action at_hand = Action::kWait;
    bool stopped = false;
    for (int step = 0; step < 300 && !stopped; ++step) {
      now += std::chrono::milliseconds(random() % 3000);
      if (step == 250) {
        machine.close();
      }
      switch (random() % 8) {
        case 0:
          machine.hello(now);
          break;
        case 1:
          machine.lost(now, "lost", Teardown::kBrowser);
          break;
        case 2:
          machine.mismatch("mismatch");
          break;
        case 3:
          machine.recycle("recycle", Teardown::kAll);
          break;
        default:
          break;
      }
      if (at_hand == Action::kLaunch && random() % 2 == 0) {
        static_cast<void>(random() % 3 == 0 ? machine.launch_failed("failed") : machine.launched(now));
        at_hand = Action::kWait;
      } else if (at_hand == Action::kTearDown && random() % 2 == 0) {
        machine.torn_down(now);
        at_hand = Action::kWait;
      }
      if (at_hand != Action::kWait) {
        continue;  // the shell asks only when it is free
      }
      at_hand = machine.next(now);
      stopped = at_hand == Action::kStop;
      if (machine.state() == SlotState::kBackingOff) {
        ASSERT_LE(machine.wake_at() - now, 4s);
      }
      if (stopped) {
        ASSERT_TRUE(machine.closing());
        ASSERT_EQ(machine.teardown(), Teardown::kProfile);
      }
    }
    ASSERT_TRUE(stopped);
  }
}

TEST_F(SlotFsmTest, ADrainedSlotStaysDrainedThroughALossUntilItIsResumed) {
  become_ready();
  now += 10s;
  fsm.idle();
  EXPECT_EQ(fsm.state(), SlotState::kReady) << "nobody drains it";
  fsm.drain("maintenance");
  EXPECT_EQ(fsm.state(), SlotState::kDraining);
  EXPECT_EQ(fsm.reason(), "maintenance");
  fsm.idle();
  EXPECT_EQ(fsm.state(), SlotState::kDrained);
  EXPECT_EQ(fsm.next(now), Action::kWait);
  EXPECT_TRUE(fsm.lost(now, "crashed", Teardown::kBrowser));
  EXPECT_EQ(fsm.loss(), Loss::kCrashed);
  tear_down(Teardown::kBrowser);
  ASSERT_EQ(fsm.next(now), Action::kLaunch) << "a first loss after a stable life: at once";
  ASSERT_TRUE(fsm.launched(now));
  ASSERT_TRUE(fsm.hello(now));
  EXPECT_EQ(fsm.state(), SlotState::kDraining);
  fsm.idle();
  fsm.resume();
  EXPECT_EQ(fsm.state(), SlotState::kReady);
}

TEST_F(SlotFsmTest, ASlotThatIsNotConnectedIsDrainedWhenItIs) {
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  fsm.drain("not yet");
  EXPECT_EQ(fsm.state(), SlotState::kLaunching);
  ASSERT_TRUE(fsm.hello(now));
  EXPECT_EQ(fsm.state(), SlotState::kDraining);
  EXPECT_TRUE(fsm.recycle("another one", Teardown::kAll));
  EXPECT_EQ(fsm.loss(), Loss::kRecycled);
  fsm.resume();
  EXPECT_EQ(fsm.state(), SlotState::kLosing);
}

TEST_F(SlotFsmTest, WaitsForItsTurnWithoutCountingALaunch) {
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  fsm.wait_turn("the breaker is open");
  EXPECT_EQ(fsm.state(), SlotState::kWaiting);
  EXPECT_EQ(fsm.launches(), 0U);
  EXPECT_EQ(fsm.reason(), "the breaker is open");
  EXPECT_EQ(fsm.next(now), Action::kWait);
  EXPECT_EQ(fsm.wake_at(), kNoDeadline);
  fsm.take_turn();
  become_ready();
  EXPECT_EQ(fsm.launches(), 1U);
  fsm.take_turn();
  EXPECT_EQ(fsm.state(), SlotState::kReady);
}

class ResumeTest : public SlotFsmTest {
 protected:
  ResumeTest() { fsm = SlotFsm(timing); }
  SlotTiming timing{
      .connect_timeout = 30s, .stable_after = 2s, .first_backoff = 500ms, .longest_backoff = 4s, .resume_grace = 500ms};
};

TEST_F(ResumeTest, AConnectionThatComesBackInTimeIsNoLoss) {
  become_ready();
  EXPECT_TRUE(fsm.disconnected(now, "broke"));
  EXPECT_FALSE(fsm.disconnected(now, "broke again"));
  EXPECT_EQ(fsm.state(), SlotState::kResuming);
  EXPECT_EQ(fsm.wake_at(), now + 500ms);
  now += 499ms;
  EXPECT_EQ(fsm.next(now), Action::kWait);
  EXPECT_TRUE(fsm.resumed());
  EXPECT_EQ(fsm.state(), SlotState::kReady);
  EXPECT_FALSE(fsm.resumed());
  EXPECT_EQ(fsm.launches(), 1U);
}

TEST_F(ResumeTest, AfterTheGraceItIsALoss) {
  become_ready();
  now += 10s;
  fsm.disconnected(now, "broke");
  now += 500ms;
  tear_down(Teardown::kPage);
  EXPECT_EQ(fsm.loss(), Loss::kBroken);
  EXPECT_EQ(fsm.reason(), "broke");
  EXPECT_FALSE(fsm.resumed());
  EXPECT_EQ(fsm.next(now), Action::kLaunch) << "it had lived a stable life";
}

TEST_F(ResumeTest, ALossOrARecycleEndsTheWait) {
  become_ready();
  fsm.disconnected(now, "broke");
  EXPECT_TRUE(fsm.lost(now, "the page is gone", Teardown::kBrowser));
  tear_down(Teardown::kBrowser);
  become_ready();
  fsm.disconnected(now, "broke");
  EXPECT_TRUE(fsm.recycle("an operator", Teardown::kAll));
  tear_down(Teardown::kAll);
}

TEST_F(ResumeTest, ADrainedOneComesBackToFinishDraining) {
  become_ready();
  fsm.drain("upgrade");
  fsm.idle();
  fsm.disconnected(now, "broke");
  EXPECT_TRUE(fsm.resumed());
  EXPECT_EQ(fsm.state(), SlotState::kDraining);
}

TEST_F(SlotFsmTest, WithoutGraceABrokenConnectionIsALoss) {
  become_ready();
  EXPECT_FALSE(fsm.disconnected(now, "broke"));
  EXPECT_EQ(fsm.state(), SlotState::kReady);
}

TEST_F(SlotFsmTest, AMendedPageIsNoLaunchAndItsSilenceTakesTheBrowser) {
  SlotTiming timing{.connect_timeout = 30s, .stable_after = 2s, .first_backoff = 500ms, .longest_backoff = 4s};
  timing.mend_timeout = 10s;
  fsm = SlotFsm(timing);
  become_ready();
  now += 10s;
  fsm.lost(now, "hung", Teardown::kTab, Loss::kHung);
  tear_down(Teardown::kTab);
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  EXPECT_TRUE(fsm.is_mending());
  EXPECT_EQ(fsm.launches(), 1U);
  fsm.launched(now);
  EXPECT_EQ(fsm.wake_at(), now + 10s);
  now += 10s;
  tear_down(Teardown::kBrowser);
  EXPECT_FALSE(fsm.is_mending());
}

TEST_F(SlotFsmTest, AMendThatFailsIsALaunch) {
  become_ready();
  now += 10s;
  fsm.lost(now, "left", Teardown::kPage, Loss::kLeft);
  tear_down(Teardown::kPage);
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  fsm.mend_failed();
  fsm.mend_failed();
  EXPECT_EQ(fsm.launches(), 2U);
  EXPECT_TRUE(fsm.hello(now));
}

}  // namespace
}  // namespace shoal::pool
