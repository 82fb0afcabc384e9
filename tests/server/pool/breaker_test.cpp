#include "server/pool/breaker.hpp"

#include <gtest/gtest.h>

namespace shoal::pool {
namespace {

using namespace std::chrono_literals;

class BreakerTest : public ::testing::Test {
 protected:
  void fail(int times) {
    for (int time = 0; time < times; ++time) {
      breaker.failed("a", "exits at once", now);
    }
  }
  // The probe starts and fails.
  void probe_fails() {
    ASSERT_TRUE(breaker.allows("a", now));
    breaker.began("a", now);
    ASSERT_TRUE(breaker.failed("a", "again", now));
  }

  TimePoint now = TimePoint(1000s);
  Breaker breaker{{.failures = 3, .window = 10s, .first_pause = 2s, .longest_pause = 7s}};
};

TEST_F(BreakerTest, OpensAtTheLastOfTheFailuresWithinTheWindow) {
  EXPECT_FALSE(breaker.failed("a", "one", now));
  EXPECT_FALSE(breaker.failed("b", "two", now));
  EXPECT_TRUE(breaker.allows("c", now));
  EXPECT_TRUE(breaker.failed("c", "three", now));
  EXPECT_EQ(breaker.state(now), BreakerState::kOpen);
  EXPECT_EQ(breaker.reason(), "three");
  EXPECT_EQ(breaker.opened(), 1U);
  EXPECT_FALSE(breaker.allows("a", now + 2s - 1ns));
}

TEST_F(BreakerTest, AFailureOlderThanTheWindowDoesNotCount) {
  fail(2);
  now += 10s;
  fail(2);
  EXPECT_EQ(breaker.state(now), BreakerState::kClosed);
  fail(1);
  EXPECT_EQ(breaker.state(now), BreakerState::kOpen);
}

TEST_F(BreakerTest, AStableLifeForgetsTheFailuresBeforeIt) {
  fail(2);
  EXPECT_FALSE(breaker.lived("a"));
  fail(2);
  EXPECT_EQ(breaker.state(now), BreakerState::kClosed);
}

TEST_F(BreakerTest, HalfOpenLetsOneTryAndOnlyItsLifeCloses) {
  fail(3);
  now += 2s;
  EXPECT_EQ(breaker.state(now), BreakerState::kHalfOpen);
  EXPECT_TRUE(breaker.allows("a", now));
  EXPECT_TRUE(breaker.allows("b", now));
  breaker.began("b", now);
  EXPECT_FALSE(breaker.allows("a", now));
  EXPECT_FALSE(breaker.failed("a", "started before it opened", now));
  EXPECT_FALSE(breaker.lived("a"));
  EXPECT_FALSE(breaker.allows("a", now));
  EXPECT_TRUE(breaker.lived("b"));
  EXPECT_EQ(breaker.state(now), BreakerState::kClosed);
  EXPECT_TRUE(breaker.allows("a", now));
}

TEST_F(BreakerTest, EachFailedProbeDoublesThePauseUpToTheLongest) {
  fail(3);
  for (const Duration pause : {2s, 4s, 7s, 7s}) {
    EXPECT_EQ(breaker.retry_at() - now, pause);
    now = breaker.retry_at();
    probe_fails();
  }
  now = breaker.retry_at();
  breaker.began("a", now);
  breaker.lived("a");
  fail(3);
  EXPECT_EQ(breaker.retry_at() - now, 2s);
}

TEST_F(BreakerTest, AProbeThatIsWithdrawnLeavesItsPlaceToAnother) {
  fail(3);
  now += 2s;
  breaker.began("a", now);
  breaker.withdrew("a");
  EXPECT_TRUE(breaker.allows("b", now));
}

TEST_F(BreakerTest, AnOperatorEndsThePause) {
  fail(3);
  breaker.hurry(now);
  EXPECT_EQ(breaker.state(now), BreakerState::kHalfOpen);
  EXPECT_TRUE(breaker.allows("a", now));
}

}  // namespace
}  // namespace shoal::pool
