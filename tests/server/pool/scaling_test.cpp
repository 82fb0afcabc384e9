#include "server/pool/scaling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace shoal::pool {
namespace {

using namespace std::chrono_literals;

constexpr ScalingLimits kLimits = {
    .min = 1, .max = 4, .up_queue = 2, .up_after = 2s, .down_idle = 60s, .cooldown = 10s};
constexpr Duration kLook = 250ms;

class ScalingTest : public ::testing::Test {
 protected:
  // Looks at the same load for so long, or until there is a step.
  std::optional<Scaling::Step> look(Duration time, const GroupLoad& load) {
    for (const TimePoint end = now + time; now <= end; now += kLook) {
      if (auto step = scaling.decide(now, load)) {
        return step;
      }
    }
    return std::nullopt;
  }

  TimePoint now = TimePoint(1000s);
  Scaling scaling{kLimits, 1};
};

TEST_F(ScalingTest, AQueueThatStaysMakesOneMore) {
  const TimePoint began = now;
  const auto step = look(1min, {.ready = 1, .busy = 1, .queued = 3});
  ASSERT_TRUE(step && step->is_up);
  EXPECT_EQ(now - began, kLimits.up_after);
  EXPECT_EQ(step->reason, "3 requests wait, more than 2 for each of 1 workers for 2.0 s");
  EXPECT_EQ(scaling.wanted(), 2U);
}

TEST_F(ScalingTest, AQueueAtTheBoundOrOneThatGoesMakesNobody) {
  EXPECT_FALSE(look(10min, {.ready = 1, .busy = 1, .queued = 2}));
  for (int burst = 0; burst < 100; ++burst) {
    EXPECT_FALSE(look(1s, {.ready = 1, .busy = 1, .queued = 1000}));
    EXPECT_FALSE(look(0s, {.ready = 1, .busy = 1, .queued = 2}));
  }
  EXPECT_EQ(scaling.wanted(), 1U);
}

TEST_F(ScalingTest, WithoutMemoryForOneMoreThereIsNoneButTheFirst) {
  EXPECT_FALSE(look(10min, {.ready = 1, .busy = 1, .queued = 100, .is_short_of_memory = true}));
  EXPECT_TRUE(look(10min, {.ready = 1, .busy = 1, .queued = 100})) << "as soon as there is some";
  Scaling none({.min = 0, .max = 1}, 0);
  EXPECT_TRUE(none.decide(now, {.queued = 1, .is_short_of_memory = true})) << "else nothing would ever be answered";
}

TEST_F(ScalingTest, ThoseThatAreComingCountAndNothingHappensInTheCoolDown) {
  ASSERT_TRUE(look(1min, {.ready = 1, .busy = 1, .queued = 5}));
  const TimePoint stepped = now;
  EXPECT_FALSE(look(1min, {.ready = 1, .coming = 1, .busy = 1, .queued = 4}));
  ASSERT_TRUE(look(1min, {.ready = 2, .busy = 2, .queued = 5}));
  EXPECT_GE(now - stepped, kLimits.cooldown);
  const TimePoint again = now;
  ASSERT_TRUE(look(1min, {.ready = 3, .busy = 3, .queued = 100}));
  EXPECT_EQ(now - again, kLimits.cooldown);
  EXPECT_FALSE(look(10min, {.ready = 4, .busy = 4, .queued = 1000})) << "the most is reached";
}

TEST_F(ScalingTest, AWorkerNotNeededForLongIsOneTooMany) {
  scaling = Scaling(kLimits, 2);
  for (int minute = 0; minute < 10; ++minute) {
    EXPECT_FALSE(look(50s, {.ready = 2, .busy = 1}));
    EXPECT_FALSE(look(0s, {.ready = 2, .busy = 2})) << "both are needed now and then";
  }
  EXPECT_FALSE(look(10min, {.ready = 2, .busy = 0, .queued = 1})) << "what waits is going to need somebody";
  EXPECT_FALSE(look(10min, {.ready = 1, .coming = 1, .busy = 0})) << "not while one is on its way";
  const TimePoint began = now;
  const auto step = look(2min, {.ready = 2, .busy = 1});
  ASSERT_TRUE(step && !step->is_up);
  EXPECT_EQ(now - began, kLimits.down_idle);
  EXPECT_EQ(step->reason, "one of 2 workers was not needed for 60.0 s");
  EXPECT_FALSE(look(1h, {.ready = 1, .busy = 0})) << "the fewest";
}

TEST_F(ScalingTest, WhatIsAskedOfNobodyWakesTheFirstAtOnce) {
  ScalingLimits limits = kLimits;
  limits.min = 0;
  scaling = Scaling(limits, 1);
  ASSERT_TRUE(look(2min, {.ready = 1}));
  EXPECT_EQ(scaling.wanted(), 0U);
  EXPECT_FALSE(look(0s, {})) << "in the cool-down, and nobody asks";
  const auto step = look(0s, {.queued = 1});
  ASSERT_TRUE(step && step->is_up);
  EXPECT_EQ(scaling.wanted(), 1U);
}

TEST_F(ScalingTest, RandomLoadsNeverLeaveTheBoundsNorBreakTheCoolDown) {
  std::mt19937 random(20261121);
  const auto pick = [&random](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  for (int trace = 0; trace < 200; ++trace) {
    ScalingLimits limits = kLimits;
    limits.min = pick(3);
    limits.max = std::max(1U, limits.min + pick(4));
    limits.up_after = 250ms * pick(20);
    limits.down_idle = 1s + 250ms * pick(100);
    limits.cooldown = 250ms * pick(60);
    Scaling subject(limits, limits.min + pick(limits.max - limits.min + 1));
    std::optional<TimePoint> stepped;
    for (int look = 0; look < 2000; ++look, now += kLook) {
      const std::uint32_t before = subject.wanted();
      const std::uint32_t there = pick(before + 1);
      const GroupLoad load{
          .ready = there, .coming = before - there, .busy = pick(there + 1), .queued = pick(4) == 0 ? pick(100) : 0};
      if (const auto step = subject.decide(now, load)) {
        ASSERT_EQ(subject.wanted(), step->is_up ? before + 1 : before - 1);
        ASSERT_TRUE(!stepped || now - *stepped >= limits.cooldown || (before == 0 && load.queued > 0));
        ASSERT_FALSE(step->reason.empty());
        stepped = now;
      } else {
        ASSERT_EQ(subject.wanted(), before);
      }
      ASSERT_GE(subject.wanted(), limits.min);
      ASSERT_LE(subject.wanted(), limits.max);
    }
  }
}

// A server with `clients` that each ask again once answered; each worker takes two requests at once, browsers take
// three seconds to come.
TEST_F(ScalingTest, UnderASteadyLoadTheNumberIsFoundAndKept) {
  for (std::uint32_t clients = 0; clients <= 24; ++clients) {
    for (std::uint32_t first = 1; first <= kLimits.max; ++first) {
      scaling = Scaling(kLimits, first);
      std::uint32_t ready = first;
      std::optional<TimePoint> arrives;
      int ups = 0;
      int downs = 0;
      for (const TimePoint end = now + 30min; now < end; now += kLook) {
        if (arrives && now >= *arrives) {
          ready = scaling.wanted();
          arrives.reset();
        }
        const GroupLoad load{.ready = ready,
                             .coming = scaling.wanted() - ready,
                             .busy = std::min(clients, ready),
                             .queued = clients > 2 * ready ? clients - 2 * ready : 0};
        if (const auto step = scaling.decide(now, load)) {
          ++(step->is_up ? ups : downs);
          if (step->is_up) {
            arrives = now + 3s;
          } else {
            ready = scaling.wanted();
          }
        }
      }
      EXPECT_TRUE(ups == 0 || downs == 0)
          << clients << " clients, " << first << " at first: " << ups << " up, " << downs << " down";
    }
  }
}

}  // namespace
}  // namespace shoal::pool
