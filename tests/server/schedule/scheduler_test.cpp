#include "server/schedule/scheduler.hpp"

#include <gtest/gtest.h>

namespace shoal::schedule {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{};
const Candidate kWasm{Backend::kWasm, "m:1@wasm"};

Job job_of(JobId id, std::vector<Candidate> candidates = {kWasm}) {
  return {.id = id,
          .candidates = std::move(candidates),
          .worker = {},
          .priority = 2,
          .deadline = kStart + seconds(30),
          .bytes = 10};
}

class SchedulerTest : public testing::Test {
 protected:
  void bring_up(const std::string& slot, std::vector<Backend> backends = {Backend::kWasm}) {
    scheduler.slot_configured(slot, backends);
    scheduler.slot_up(slot, backends, {});
  }
  void make_ready(const std::string& slot, const Candidate& candidate = kWasm) {
    scheduler.instance_ready(slot, candidate, {}, kStart);
  }
  Scheduler scheduler{
      SchedulerLimits{.max_queued = 4, .max_queued_bytes = 1000, .max_in_flight = 1, .max_instances = 2}};
};

TEST_F(SchedulerTest, LoadsOnceThenRunsInOrderOfArrival) {
  bring_up("hs/0");
  ASSERT_TRUE(scheduler.enqueue(job_of(1), kStart));
  ASSERT_TRUE(scheduler.enqueue(job_of(2), kStart));
  auto actions = scheduler.step(kStart);
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(actions[0].kind, Action::Kind::kLoad);
  EXPECT_EQ(actions[0].slot, "hs/0");
  EXPECT_TRUE(scheduler.step(kStart).empty());
  make_ready("hs/0");
  actions = scheduler.step(kStart);
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(actions[0].kind, Action::Kind::kRun);
  EXPECT_EQ(actions[0].job, 1U);
  EXPECT_TRUE(scheduler.step(kStart).empty()) << "one run in flight is the limit here";
  scheduler.finished(1);
  EXPECT_EQ(scheduler.step(kStart).at(0).job, 2U);
}

TEST_F(SchedulerTest, PriorityThenDeadlineThenArrival) {
  bring_up("hs/0");
  make_ready("hs/0");
  Job late = job_of(1);
  Job early = job_of(2);
  early.deadline = kStart + seconds(5);
  Job urgent = job_of(3);
  urgent.priority = 1;
  for (const Job& job : {late, early, urgent}) {
    ASSERT_TRUE(scheduler.enqueue(job, kStart));
  }
  for (const JobId expected : {3U, 2U, 1U}) {
    EXPECT_EQ(scheduler.step(kStart).at(0).job, expected);
    scheduler.finished(expected);
  }
}

TEST_F(SchedulerTest, FullQueueAnswersAtOnce) {
  bring_up("hs/0");
  for (JobId id = 1; id <= 4; ++id) {
    ASSERT_TRUE(scheduler.enqueue(job_of(id), kStart));
  }
  EXPECT_EQ(scheduler.enqueue(job_of(5), kStart).error().code, Code::kOverloaded);
  scheduler.cancel(4);
  Job heavy = job_of(6);
  heavy.bytes = 971;
  EXPECT_EQ(scheduler.enqueue(heavy, kStart).error().code, Code::kOverloaded);
  heavy.bytes = 970;
  EXPECT_TRUE(scheduler.enqueue(heavy, kStart));
}

TEST_F(SchedulerTest, DeadlineEndsAQueuedAndARunningJob) {
  bring_up("hs/0");
  make_ready("hs/0");
  Job running = job_of(1);
  running.deadline = kStart + seconds(2);
  ASSERT_TRUE(scheduler.enqueue(running, kStart));
  ASSERT_TRUE(scheduler.enqueue(job_of(2), kStart));
  ASSERT_EQ(scheduler.step(kStart).at(0).job, 1U);
  EXPECT_EQ(scheduler.next_wakeup(), kStart + seconds(2));
  auto actions = scheduler.step(kStart + seconds(2));
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(actions[0].kind, Action::Kind::kFail);
  EXPECT_EQ(actions[0].slot, "hs/0") << "the run there is to be cancelled";
  EXPECT_EQ(actions[0].error.code, Code::kDeadlineExceeded);
  EXPECT_EQ(actions[1].job, 2U);
  EXPECT_EQ(scheduler.enqueue(job_of(3), kStart + seconds(30)).error().code, Code::kDeadlineExceeded);
}

TEST_F(SchedulerTest, LostWorkerRetriesInPlaceAndGivesUpAfterThreeAttempts) {
  bring_up("hs/0");
  make_ready("hs/0");
  ASSERT_TRUE(scheduler.enqueue(job_of(1), kStart));
  ASSERT_TRUE(scheduler.enqueue(job_of(2), kStart));
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(scheduler.step(kStart).at(0).job, 1U) << attempt;
    const Status again = scheduler.retry(1, "killed");
    EXPECT_EQ(again.has_value(), attempt < 3);
    if (!again) {
      EXPECT_EQ(again.error().code, Code::kWorkerLost);
    }
    scheduler.slot_down("hs/0");
    EXPECT_TRUE(scheduler.step(kStart).empty()) << "waits for the slot's next browser";
    bring_up("hs/0");
    make_ready("hs/0");
  }
  EXPECT_EQ(scheduler.step(kStart).at(0).job, 2U);
}

TEST_F(SchedulerTest, CancelSaysWhereItRan) {
  bring_up("hs/0");
  make_ready("hs/0");
  ASSERT_TRUE(scheduler.enqueue(job_of(1), kStart));
  ASSERT_TRUE(scheduler.enqueue(job_of(2), kStart));
  ASSERT_EQ(scheduler.step(kStart).size(), 1U);
  EXPECT_EQ(scheduler.cancel(1), "hs/0");
  EXPECT_EQ(scheduler.cancel(2), "");
  EXPECT_FALSE(scheduler.cancel(2));
  EXPECT_EQ(scheduler.queued() + scheduler.running(), 0U);
}

TEST_F(SchedulerTest, HungLoadRecyclesTheBrowser) {
  bring_up("hs/0");
  ASSERT_TRUE(scheduler.enqueue(job_of(1), kStart));
  ASSERT_EQ(scheduler.step(kStart).at(0).kind, Action::Kind::kLoad);
  Job patient = job_of(2);
  patient.deadline = kStart + seconds(600);
  ASSERT_TRUE(scheduler.enqueue(patient, kStart));
  const auto actions = scheduler.step(kStart + seconds(120));
  ASSERT_EQ(actions.size(), 3U);
  EXPECT_EQ(actions[0].kind, Action::Kind::kFail);
  EXPECT_EQ(actions[1].kind, Action::Kind::kRecycle);
  EXPECT_EQ(actions[2].error.code, Code::kGraphBuildingError);
}

TEST_F(SchedulerTest, LeastRecentlyUsedIdleInstanceMakesRoom) {
  scheduler = Scheduler{SchedulerLimits{.max_in_flight = 2, .max_instances = 2}};
  const auto shape = [](int length) { return Candidate{Backend::kWebnn, "m:1@webnn:T=" + std::to_string(length)}; };
  bring_up("hs/1", {Backend::kWebnn});
  scheduler.instance_ready("hs/1", shape(32), {}, kStart + seconds(1));
  scheduler.instance_ready("hs/1", shape(128), {}, kStart);
  ASSERT_TRUE(scheduler.enqueue(job_of(1, {shape(128)}), kStart));
  ASSERT_EQ(scheduler.step(kStart + seconds(2)).at(0).kind, Action::Kind::kRun);
  ASSERT_TRUE(scheduler.enqueue(job_of(2, {shape(512)}), kStart));
  const auto actions = scheduler.step(kStart + seconds(2));
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(actions[0].kind, Action::Kind::kUnload);
  EXPECT_EQ(actions[0].candidate.instance, shape(32).instance) << "the other one is running";
  EXPECT_EQ(actions[1].kind, Action::Kind::kLoad);
  EXPECT_EQ(actions[1].candidate.instance, shape(512).instance);
  ASSERT_TRUE(scheduler.enqueue(job_of(3, {shape(64)}), kStart));
  EXPECT_TRUE(scheduler.step(kStart + seconds(2)).empty()) << "one loads, one runs: nothing can go";
}

TEST_F(SchedulerTest, GraphsMakeRoomWithinTheBudgetAcrossBackends) {
  scheduler = Scheduler{SchedulerLimits{}};
  bring_up("hs/1", {Backend::kWasm, Backend::kWebnn});
  scheduler.set_budget("hs/1", 100);
  const Candidate old{Backend::kWebnn, "old", 30};
  const Candidate newer{Backend::kWasm, "newer", 40};
  scheduler.instance_ready("hs/1", old, {}, kStart);
  scheduler.instance_ready("hs/1", newer, LoadReport{.nodes = {}, .memory_bytes = 60}, kStart + seconds(1));
  ASSERT_TRUE(scheduler.enqueue(job_of(1, {Candidate{Backend::kWasm, "next", 40}}), kStart + seconds(2)));
  auto actions = scheduler.step(kStart + seconds(2));
  ASSERT_EQ(actions.size(), 2U) << "90 are taken: the oldest goes, whatever its backend";
  EXPECT_EQ(actions[0].kind, Action::Kind::kUnload);
  EXPECT_EQ(actions[0].candidate.instance, "old");
  EXPECT_EQ(actions[1].kind, Action::Kind::kLoad);
  ASSERT_TRUE(scheduler.enqueue(job_of(2, {Candidate{Backend::kWasm, "big", 90}}), kStart + seconds(2)));
  EXPECT_TRUE(scheduler.step(kStart + seconds(2)).empty()) << "what loads stays; it can go later";
  scheduler.set_budget("hs/1", 1000);
  actions = scheduler.step(kStart + seconds(3));
  ASSERT_EQ(actions.size(), 1U) << "a budget can be changed at any time";
  EXPECT_EQ(actions[0].kind, Action::Kind::kLoad);
}

TEST_F(SchedulerTest, AGraphThatNeverFitsIsATypedError) {
  bring_up("hs/1", {Backend::kWasm});
  scheduler.set_budget("hs/1", 100);
  const Status refused = scheduler.enqueue(job_of(1, {Candidate{Backend::kWasm, "big", 101}}), kStart);
  EXPECT_EQ(refused.error().code, Code::kResourceLimit);
  scheduler.slot_down("hs/1");
  bring_up("hs/1", {Backend::kWasm});
  EXPECT_EQ(scheduler.enqueue(job_of(2, {Candidate{Backend::kWasm, "big", 101}}), kStart).error().code,
            Code::kResourceLimit)
      << "the budget is the slot's, not the browser's";
}

TEST(SchedulerIntake, HeldEndsWithTheNextBrowserAndDrainedDoesNot) {
  Scheduler scheduler{SchedulerLimits{}};
  scheduler.slot_configured("a/0", {Backend::kWasm});
  for (const Intake intake : {Intake::kHeld, Intake::kDrained}) {
    scheduler.slot_up("a/0", {Backend::kWasm}, {});
    scheduler.set_intake("a/0", intake);
    scheduler.slot_down("a/0");
    EXPECT_EQ(scheduler.slots().at("a/0").intake, intake);
    scheduler.slot_up("a/0", {Backend::kWasm}, {});
    EXPECT_EQ(scheduler.slots().at("a/0").intake, intake == Intake::kHeld ? Intake::kOpen : Intake::kDrained);
  }
  scheduler.set_intake("nobody/0", Intake::kDrained);
  EXPECT_FALSE(scheduler.slots().contains("nobody/0"));
}

}  // namespace
}  // namespace shoal::schedule
