#include <gtest/gtest.h>

#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::seconds;

constexpr TimePoint kStart{};
const Candidate kWasm{Backend::kWasm, "m:1@wasm"};
const Candidate kGpu{Backend::kWebgpu, "m:1@webgpu"};

Job job_of(JobId id, std::vector<Candidate> candidates = {kWasm}) {
  return {.id = id, .candidates = std::move(candidates), .worker = {}, .deadline = kStart + seconds(30), .bytes = 10};
}

class DutyTest : public testing::Test {
 protected:
  DutyTest() {
    for (const char* slot : {"hs/0", "hs/1"}) {
      scheduler.slot_configured(slot, {Backend::kWasm, Backend::kWebgpu});
    }
  }
  void bring_up(const std::string& slot) {
    scheduler.slot_up(slot, {Backend::kWasm}, {{Backend::kWebgpu, "no adapter"}});
    scheduler.instance_ready(slot, kWasm, {}, kStart);
  }
  Scheduler scheduler{SchedulerLimits{.max_queued = 10, .max_queued_bytes = 1000, .max_in_flight = 1}};
  const std::vector<std::vector<std::string>> groups = {{"hs/0"}, {"hs/1"}, {"hs/0", "hs/1"}};
};

TEST_F(DutyTest, OnlyWhoServesIsGivenJobsAndTheOthersMayBeWaitedFor) {
  bring_up("hs/0");
  for (const Duty duty : {Duty::kSpare, Duty::kDormant}) {
    scheduler.set_duty("hs/0", duty);
    scheduler.set_duty("hs/1", Duty::kDormant);
    const JobId id = duty == Duty::kSpare ? 1 : 2;
    ASSERT_TRUE(scheduler.enqueue(job_of(id), kStart));
    EXPECT_TRUE(scheduler.step(kStart).empty());
    scheduler.set_duty("hs/0", Duty::kServing);
    const auto actions = scheduler.step(kStart);
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_EQ(actions[0].kind, Action::Kind::kRun);
    scheduler.finished(id);
  }
}

TEST_F(DutyTest, ADutyOutlivesTheBrowser) {
  bring_up("hs/0");
  scheduler.set_duty("hs/0", Duty::kSpare);
  scheduler.slot_down("hs/0");
  bring_up("hs/0");
  EXPECT_EQ(scheduler.slots().at("hs/0").duty, Duty::kSpare);
  EXPECT_FALSE(takes_work(scheduler.slots().at("hs/0")));
}

TEST_F(DutyTest, ABacklogIsWhatAGroupCouldDo) {
  bring_up("hs/0");
  scheduler.set_duty("hs/1", Duty::kDormant);
  scheduler.slot_expected("hs/1", {Backend::kWasm}, {{Backend::kWebgpu, "no adapter"}});
  EXPECT_EQ(scheduler.enqueue(job_of(9, {kGpu}), kStart).error().code, Code::kBackendUnavailable)
      << "nobody is woken for what its sibling cannot do";
  for (JobId id = 1; id <= 3; ++id) {
    ASSERT_TRUE(scheduler.enqueue(job_of(id, {kGpu, kWasm}), kStart));
  }
  Job named = job_of(4);
  named.worker = "hs/1";
  ASSERT_TRUE(scheduler.enqueue(named, kStart));
  ASSERT_EQ(scheduler.step(kStart).size(), 1U) << "one runs";
  const auto found = scheduler.backlog(groups);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].queued, 2U);
  EXPECT_TRUE(found[0].named_slots.empty());
  EXPECT_EQ(found[1].queued, 2U) << "nobody else could help with the one that names it";
  EXPECT_EQ(found[1].named_slots, std::vector<std::string>{"hs/1"});
  EXPECT_EQ(found[2].queued, 2U);
  EXPECT_EQ(found[2].named_slots, std::vector<std::string>{"hs/1"});
}

TEST_F(DutyTest, WhatIsDrainedOrHasFailedThereIsNoBacklogOfIt) {
  bring_up("hs/0");
  ASSERT_TRUE(scheduler.enqueue(job_of(1), kStart));
  ASSERT_TRUE(scheduler.enqueue(job_of(2), kStart));
  ASSERT_EQ(scheduler.step(kStart).size(), 1U);
  scheduler.set_intake("hs/1", Intake::kDrained);
  EXPECT_EQ(scheduler.backlog(groups)[1].queued, 0U);
  scheduler.set_intake("hs/1", Intake::kOpen);
  EXPECT_EQ(scheduler.backlog(groups)[1].queued, 1U);
  bring_up("hs/1");
  scheduler.instance_failed("hs/1", kWasm, {Code::kGraphBuildingError, "no", {}}, kStart);
  EXPECT_EQ(scheduler.backlog(groups)[1].queued, 0U);
}

}  // namespace
}  // namespace shoal::schedule
