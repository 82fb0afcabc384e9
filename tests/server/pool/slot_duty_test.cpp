#include <gtest/gtest.h>

#include "server/pool/slot_fsm.hpp"

namespace shoal::pool {
namespace {

using namespace std::chrono_literals;
using Action = SlotFsm::Action;

class DutyTest : public ::testing::Test {
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
    fsm.torn_down(now);
  }

  static constexpr auto kServing = schedule::Duty::kServing;
  static constexpr auto kSpare = schedule::Duty::kSpare;
  static constexpr auto kDormant = schedule::Duty::kDormant;

  TimePoint now = TimePoint(1000s);
  SlotFsm fsm{SlotTiming{.connect_timeout = 30s, .stable_after = 2s, .first_backoff = 500ms, .longest_backoff = 4s}};
};

TEST_F(DutyTest, ADormantOneIsLaunchedWhenItIsWokenAndThatIsNoRestart) {
  fsm = SlotFsm(SlotTiming{.connect_timeout = 30s, .stable_after = 2s}, kDormant);
  EXPECT_EQ(fsm.next(now), Action::kWait);
  EXPECT_EQ(fsm.wake_at(), kNoDeadline);
  EXPECT_EQ(fsm.state(), SlotState::kDormant);
  for (std::uint64_t life = 1; life <= 3; ++life) {
    fsm.assign(kServing, "a queue");
    EXPECT_EQ(fsm.reason(), "a queue");
    become_ready();
    EXPECT_FALSE(fsm.is_restart());
    EXPECT_EQ(fsm.restarts(), life - 1);
    now += 10s;
    fsm.lost(now, "crashed", Teardown::kBrowser);
    tear_down(Teardown::kBrowser);
    become_ready();
    EXPECT_TRUE(fsm.is_restart());
    EXPECT_EQ(fsm.restarts(), life);
    fsm.assign(kDormant, "no queue");
    fsm.idle();
    tear_down(Teardown::kProfile);
    EXPECT_EQ(fsm.state(), SlotState::kDormant);
    EXPECT_EQ(fsm.restarts(), life);
  }
}

TEST_F(DutyTest, WhoIsNotWantedFinishesWhatItHas) {
  become_ready();
  fsm.assign(kDormant, "no queue");
  EXPECT_EQ(fsm.state(), SlotState::kDraining);
  EXPECT_EQ(fsm.next(now), Action::kWait);
  fsm.assign(kServing, "a queue again");
  EXPECT_EQ(fsm.state(), SlotState::kReady) << "it had not gone yet";
  fsm.idle();
  EXPECT_EQ(fsm.state(), SlotState::kReady);
  fsm.assign(kDormant, "no queue");
  fsm.idle();
  EXPECT_EQ(fsm.loss(), Loss::kRetired);
  EXPECT_EQ(fsm.reason(), "no queue");
  tear_down(Teardown::kProfile);
  EXPECT_EQ(fsm.next(now), Action::kWait);
  EXPECT_EQ(fsm.state(), SlotState::kDormant);
}

TEST_F(DutyTest, ALossOfOneThatIsNotWantedTakesItsProfileToo) {
  become_ready();
  fsm.assign(kDormant, "no queue");
  EXPECT_TRUE(fsm.lost(now, "crashed", Teardown::kTab));
  tear_down(Teardown::kTab);
  tear_down(Teardown::kProfile);
  EXPECT_EQ(fsm.state(), SlotState::kDormant);
}

TEST_F(DutyTest, OneOnItsWayTurnsRoundAndOneThatIsGoingComesBack) {
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  fsm.assign(kDormant, "no queue");
  EXPECT_FALSE(fsm.launched(now));
  ASSERT_EQ(fsm.next(now), Action::kTearDown);
  fsm.assign(kServing, "a queue again");
  fsm.torn_down(now);
  become_ready();
}

TEST_F(DutyTest, ASpareIsConnectedAndServesWhenItIsTold) {
  fsm.assign(kSpare, "a spare");
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  ASSERT_TRUE(fsm.hello(now));
  EXPECT_EQ(fsm.state(), SlotState::kSpare);
  EXPECT_TRUE(fsm.is_connected());
  fsm.assign(kServing, "another one was lost");
  EXPECT_EQ(fsm.state(), SlotState::kReady);
  now += 10s;
  EXPECT_TRUE(fsm.lost(now, "crashed", Teardown::kBrowser));
  fsm.assign(kSpare, "others serve in its place");
  tear_down(Teardown::kBrowser);
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  ASSERT_TRUE(fsm.hello(now));
  EXPECT_EQ(fsm.state(), SlotState::kSpare);
}

TEST_F(DutyTest, AnOperatorsDrainAndTheEndComeFirst) {
  fsm.assign(kSpare, "a spare");
  ASSERT_EQ(fsm.next(now), Action::kLaunch);
  ASSERT_TRUE(fsm.hello(now));
  fsm.drain("upgrade");
  fsm.idle();
  EXPECT_EQ(fsm.state(), SlotState::kDrained);
  fsm.resume();
  EXPECT_EQ(fsm.state(), SlotState::kSpare);
  fsm.assign(kDormant, "enough");
  fsm.close();
  tear_down(Teardown::kProfile);
  EXPECT_EQ(fsm.next(now), Action::kStop);
}

}  // namespace
}  // namespace shoal::pool
