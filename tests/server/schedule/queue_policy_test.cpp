// Bounds and timeouts of one model's queue, and ageing.
#include <gtest/gtest.h>

#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{};
const Candidate kGraph{Backend::kWasm, "m:1@wasm"};

class QueuePolicyTest : public testing::Test {
 protected:
  QueuePolicyTest() {
    scheduler.slot_configured("hs/0", {Backend::kWasm});
    scheduler.slot_up("hs/0", {Backend::kWasm}, {});
    scheduler.instance_ready("hs/0", kGraph, {}, kStart);
  }
  static Job job_of(JobId id, std::uint32_t priority = 2) {
    Job job{.id = id, .candidates = {kGraph}, .worker = {}, .priority = priority};
    job.deadline = kStart + seconds(1000);
    return job;
  }
  JobId next(TimePoint now) {
    const auto actions = scheduler.step(now);
    return actions.size() == 1 && actions[0].kind == Action::Kind::kRun ? actions[0].job : 0;
  }
  Scheduler scheduler{SchedulerLimits{.max_queued = 100, .max_in_flight = 1, .ageing = seconds(10)}};
};

TEST_F(QueuePolicyTest, AModelsBoundIsOfItsOwnAndOfOnePriority) {
  const auto bounded = [](JobId id, const std::string& queue, std::uint32_t priority) {
    Job job = job_of(id, priority);
    job.queue = queue;
    job.max_queued = 1;
    return job;
  };
  ASSERT_TRUE(scheduler.enqueue(bounded(1, "m", 2), kStart));
  const Status full = scheduler.enqueue(bounded(2, "m", 2), kStart);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kOverloaded);
  EXPECT_TRUE(full.error().message.starts_with("Exceeds maximum queue size"));
  EXPECT_TRUE(scheduler.enqueue(bounded(3, "m", 1), kStart));
  EXPECT_TRUE(scheduler.enqueue(bounded(4, "other", 2), kStart));
  ASSERT_EQ(next(kStart), 3U);
  EXPECT_FALSE(scheduler.enqueue(bounded(5, "m", 2), kStart));
  scheduler.finished(3);
  ASSERT_EQ(next(kStart), 1U);
  EXPECT_TRUE(scheduler.enqueue(bounded(6, "m", 2), kStart)) << "what was sent does not wait any more";
}

TEST_F(QueuePolicyTest, AModelsBytesAreBoundedOverAllPriorities) {
  const auto heavy = [](JobId id, std::uint64_t bytes, std::uint32_t priority = 2, const std::string& queue = "m") {
    Job job = job_of(id, priority);
    job.queue = queue;
    job.bytes = bytes;
    job.max_queued_bytes = 100;
    return job;
  };
  EXPECT_EQ(scheduler.enqueue(heavy(1, 101), kStart).error().code, Code::kOverloaded) << "more than there can ever be";
  ASSERT_TRUE(scheduler.enqueue(heavy(2, 60), kStart));
  const Status full = scheduler.enqueue(heavy(3, 41, 1), kStart);
  EXPECT_EQ(full.error().code, Code::kOverloaded);
  EXPECT_NE(full.error().message.find("shoal_max_queue_bytes"), std::string::npos);
  EXPECT_TRUE(scheduler.enqueue(heavy(4, 40, 1), kStart));
  EXPECT_TRUE(scheduler.enqueue(heavy(5, 100, 2, "other"), kStart)) << "another model's queue";
  ASSERT_EQ(next(kStart), 4U);
  EXPECT_TRUE(scheduler.enqueue(heavy(6, 40), kStart)) << "what was sent does not wait any more";
  scheduler.cancel(2);
  EXPECT_TRUE(scheduler.enqueue(heavy(7, 60), kStart));
}

TEST_F(QueuePolicyTest, ATimeoutRefusesWhatWasNotSent) {
  ASSERT_TRUE(scheduler.enqueue(job_of(1), kStart));
  Job hurried = job_of(2);
  hurried.queue_deadline = kStart + milliseconds(20);
  ASSERT_TRUE(scheduler.enqueue(hurried, kStart));
  ASSERT_EQ(next(kStart), 1U);
  EXPECT_EQ(scheduler.next_wakeup(), kStart + milliseconds(20)) << "told at once, not when a worker is free";
  const auto actions = scheduler.step(kStart + milliseconds(20));
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(actions[0].kind, Action::Kind::kFail);
  EXPECT_EQ(actions[0].error.code, Code::kUnavailable);
  EXPECT_TRUE(actions[0].error.message.starts_with("Request timeout expired"));
  EXPECT_EQ(scheduler.queued(), 0U);
}

TEST_F(QueuePolicyTest, ATimeoutIsOverOnceItWasSent) {
  Job hurried = job_of(1);
  hurried.queue_deadline = kStart + milliseconds(20);
  ASSERT_TRUE(scheduler.enqueue(hurried, kStart));
  ASSERT_EQ(next(kStart), 1U);
  EXPECT_TRUE(scheduler.step(kStart + seconds(1)).empty());
  ASSERT_TRUE(scheduler.retry(1, "killed"));
  EXPECT_EQ(next(kStart + seconds(1)), 1U);
}

TEST_F(QueuePolicyTest, DelayedOnesWaitBehindThoseInTime) {
  ASSERT_TRUE(scheduler.enqueue(job_of(1), kStart));
  ASSERT_EQ(next(kStart), 1U);
  Job late = job_of(2);
  late.queue_deadline = kStart + milliseconds(20);
  late.delays = true;
  ASSERT_TRUE(scheduler.enqueue(late, kStart));
  const TimePoint now = kStart + milliseconds(30);
  EXPECT_TRUE(scheduler.step(now).empty());
  ASSERT_TRUE(scheduler.enqueue(job_of(3), now));
  ASSERT_TRUE(scheduler.enqueue(job_of(4, 3), now));
  for (const JobId expected : {3U, 2U, 4U}) {
    scheduler.finished(expected == 3 ? 1 : expected == 2 ? 3 : 2);
    EXPECT_EQ(next(now), expected) << "of the same or a higher priority";
  }
}

TEST_F(QueuePolicyTest, WaitingRaisesThePriorityAndAtLastNothingNewGoesBefore) {
  ASSERT_TRUE(scheduler.enqueue(job_of(1), kStart));
  ASSERT_EQ(next(kStart), 1U);
  ASSERT_TRUE(scheduler.enqueue(job_of(2, 3), kStart));
  JobId running = 1;
  JobId urgent = 100;
  for (int second = 1; second <= 29; ++second) {
    const TimePoint now = kStart + seconds(second);
    Job job = job_of(++urgent, 1);
    job.deadline = now + seconds(2);
    ASSERT_TRUE(scheduler.enqueue(job, now));
    scheduler.finished(running);
    running = next(now);
    ASSERT_EQ(running, urgent) << second;
  }
  const TimePoint now = kStart + seconds(30);
  ASSERT_TRUE(scheduler.enqueue(job_of(++urgent, 1), now));
  scheduler.finished(running);
  EXPECT_EQ(next(now), 2U) << "three steps of ten seconds";
}

}  // namespace
}  // namespace shoal::schedule
