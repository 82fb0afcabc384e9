#include "server/schedule/admission.hpp"

#include <gtest/gtest.h>

#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using namespace std::chrono_literals;

constexpr double kRun = 0.1;  // seconds

class AdmissionTest : public testing::Test {
 protected:
  // One engine, runs of 100 ms one after the other, while somebody waits.
  void learn(int runs = 20) {
    const Rank other = rank(9, 1h);
    admission.wait("wasm", other, 0);
    admission.started("wasm", now);
    for (int run = 0; run < runs; ++run) {
      now += 100ms;
      admission.measured("m", 1, 100ms);
      admission.ended("wasm", "m", kRun, 100ms, now);
    }
    admission.leave("wasm", other, 0);
  }
  void wait(const Rank& rank) { admission.wait("wasm", rank, kRun); }
  Rank rank(std::uint32_t priority, Duration timeout) { return {priority, false, now + timeout, ++sequence, sequence}; }
  bool is_let_in(const Rank& rank) { return !admission.forecast("wasm", "m", rank, kRun, now).late; }

  Admission admission;
  TimePoint now = TimePoint() + 1h;
  std::uint64_t sequence = 0;
};

TEST_F(AdmissionTest, NobodyIsRefusedByWhatIsNotKnown) {
  for (int job = 0; job < 1000; ++job) {
    wait(rank(2, 1s));
  }
  EXPECT_TRUE(is_let_in(rank(2, 1ms)));
  EXPECT_EQ(admission.seconds_of("m", 1), 0);
}

TEST_F(AdmissionTest, NobodyIsRefusedWhenNobodyWaits) {
  learn();
  EXPECT_TRUE(is_let_in(rank(2, 1ms)));
}

TEST_F(AdmissionTest, CountsWhatIsServedBefore) {
  learn();
  EXPECT_NEAR(admission.seconds_of("m", 1), kRun, 1e-9);
  for (int job = 0; job < 10; ++job) {
    wait(rank(2, 2s));
  }
  // A second of work, at nine tenths of the speed that was seen, and the run itself.
  EXPECT_NEAR(admission.forecast("wasm", "m", rank(2, 10s), kRun, now).seconds, 10 * kRun / 0.9 + kRun, 1e-6);
  EXPECT_TRUE(is_let_in(rank(2, 3s)));
  const auto late = admission.forecast("wasm", "m", rank(3, 1s), kRun, now).late;
  ASSERT_TRUE(late);
  EXPECT_NEAR(std::chrono::duration<double>(*late).count(), 10 * kRun / 0.9 + kRun - 1, 1e-6);
  EXPECT_TRUE(is_let_in(rank(1, 1s))) << "they are behind it";
}

TEST_F(AdmissionTest, DoesNotBreakWhatWasPromised) {
  learn();
  for (int job = 0; job < 10; ++job) {
    wait(rank(2, 1250ms));
  }
  EXPECT_FALSE(is_let_in(rank(2, 300ms))) << "it would be in time, and the last of those behind it would not";
  EXPECT_TRUE(is_let_in(rank(1, 300ms))) << "a higher priority does not wait for a lower one";
}

TEST_F(AdmissionTest, ThoseThatAreLateAnywayAreNoReason) {
  learn();
  for (int job = 0; job < 30; ++job) {
    wait(rank(2, 1s));
  }
  EXPECT_TRUE(is_let_in(rank(2, 900ms)));
}

TEST_F(AdmissionTest, LeavesRoomForHigherPrioritiesToCome) {
  learn();
  wait(rank(2, 5s));
  const double before = admission.forecast("wasm", "m", rank(2, 10s), kRun, now).seconds;
  for (int job = 0; job < 5; ++job) {
    admission.admitted("wasm", 1, kRun, now);
  }
  EXPECT_GT(admission.forecast("wasm", "m", rank(2, 10s), kRun, now).seconds, 1.5 * before - kRun);
  EXPECT_LT(admission.forecast("wasm", "m", rank(1, 10s), kRun, now).seconds, before) << "of no use to its own";
}

TEST_F(AdmissionTest, BecomesMoreCarefulByItsErrorsAndForgetsThem) {
  learn();
  for (int job = 0; job < 10; ++job) {
    wait(rank(2, 2s));
  }
  ASSERT_TRUE(is_let_in(rank(2, 2s)));
  for (int error = 0; error < 100; ++error) {
    admission.came_true("wasm", 2, 1, now - 3s, now);
  }
  EXPECT_FALSE(is_let_in(rank(2, 2s)));
  EXPECT_TRUE(is_let_in(rank(2, 6s))) << "there is an end to caution";
  now += 20s;
  EXPECT_TRUE(is_let_in(rank(2, 2s))) << "with nobody let in there is nothing to learn from";
}

TEST_F(AdmissionTest, AStandstillIsNoSpeed) {
  learn();
  wait(rank(2, 1h));
  const double before = admission.forecast("wasm", "m", rank(2, 1h), kRun, now).seconds;
  admission.stopped("wasm");
  now += 1h;  // a graph is loaded, or no browser is there
  admission.started("wasm", now);
  now += 100ms;
  admission.ended("wasm", "m", kRun, 100ms, now);
  EXPECT_NEAR(admission.forecast("wasm", "m", rank(2, 1h), kRun, now).seconds, before, 1e-6);
  admission.interrupted();
  now += 1h;
  admission.ended("wasm", "m", kRun, 100ms, now);
  EXPECT_NEAR(admission.forecast("wasm", "m", rank(2, 1h), kRun, now).seconds, before, 1e-6);
}

TEST_F(AdmissionTest, LinesDoNotTouchEachOther) {
  learn();
  for (int job = 0; job < 100; ++job) {
    wait(rank(2, 1s));
  }
  EXPECT_FALSE(is_let_in(rank(2, 1s)));
  EXPECT_FALSE(admission.forecast("webgpu", "m", rank(2, 1s), kRun, now).late);
}

// One worker, runs of 100 ms, by the scheduler itself.
class RefusalTest : public testing::Test {
 protected:
  RefusalTest() { bring_up(); }
  void bring_up() {
    scheduler.slot_up("w/0", {Backend::kWasm}, {});
    scheduler.instance_ready("w/0", candidate, {}, now);
  }
  bool enqueue(Duration timeout) {
    return scheduler.enqueue({.id = ++last, .candidates = {candidate}, .worker = {}, .deadline = now + timeout}, now)
        .has_value();
  }
  void enqueue_patient(int count) {
    for (int job = 0; job < count; ++job) {
      ASSERT_TRUE(enqueue(1h));
    }
  }
  // What a run takes, by the first ones; how fast the queue moves, by those that came when that was known.
  void learn() {
    for (int turn = 0; turn < 2; ++turn) {
      enqueue_patient(20);
      serve(20);
    }
  }
  // Serves as many, each 100 ms after the other.
  void serve(int count) {
    for (int job = 0; job < count; ++job) {
      const auto actions = scheduler.step(now);
      ASSERT_EQ(actions.size(), 1U);
      now += 100ms;
      scheduler.finished(actions[0].job, now);
    }
  }
  const Candidate candidate{Backend::kWasm, "m@wasm"};
  Scheduler scheduler{{.max_in_flight = 1}};
  TimePoint now = TimePoint() + 1h;
  JobId last = 0;
};

TEST_F(RefusalTest, WhatWouldComeTooLateIsOverload) {
  learn();
  enqueue_patient(20);
  const Status refused = scheduler.enqueue(
      {.id = 1000, .candidates = {candidate}, .worker = {}, .priority = 3, .deadline = now + 1s}, now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kOverloaded);
  EXPECT_TRUE(enqueue(1s)) << "it goes before those that have an hour";
}

TEST_F(RefusalTest, AnOutageIsNoReasonToBeCareful) {
  learn();
  enqueue_patient(200);
  scheduler.slot_down("w/0");
  now += 5min;
  bring_up();
  serve(200);
  for (int job = 0; job < 10; ++job) {
    EXPECT_TRUE(enqueue(1300ms)) << job;
  }
}

}  // namespace
}  // namespace shoal::schedule
