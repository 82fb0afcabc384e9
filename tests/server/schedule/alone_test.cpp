// Jobs that run alone, and budgets that are lowered while a browser is up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/schedule/residency.hpp"
#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::seconds;

constexpr TimePoint kStart{};
const Candidate kWasm{Backend::kWasm, "m:1@wasm", 100};
const Candidate kGpu{Backend::kWebgpu, "m:1@webgpu", 100};
const Candidate kOther{Backend::kWasm, "n:1@wasm", 200};

Job job_of(JobId id, const Candidate& candidate = kWasm) {
  return {.id = id, .candidates = {candidate}, .worker = {}, .deadline = kStart + seconds(30), .bytes = 10};
}

class AloneTest : public testing::Test {
 protected:
  void bring_up(const std::string& slot) {
    scheduler.slot_configured(slot, {Backend::kWasm, Backend::kWebgpu});
    scheduler.slot_up(slot, {Backend::kWasm, Backend::kWebgpu}, {});
    for (const Candidate& candidate : {kWasm, kGpu}) {
      scheduler.instance_ready(slot, candidate, {}, kStart);
    }
  }
  // The jobs that step() starts.
  std::vector<JobId> started() {
    std::vector<JobId> jobs;
    for (const Action& action : scheduler.step(kStart)) {
      EXPECT_EQ(action.kind, Action::Kind::kRun);
      jobs.push_back(action.job);
    }
    return jobs;
  }
  Scheduler scheduler{SchedulerLimits{.max_in_flight = 2}};
};

TEST_F(AloneTest, WaitsForAnIdleBrowserAndKeepsOthersAway) {
  bring_up("hs/0");
  ASSERT_TRUE(scheduler.enqueue(job_of(1, kGpu), kStart));
  EXPECT_THAT(started(), testing::ElementsAre(1));
  Job alone = job_of(2);
  alone.is_alone = true;
  ASSERT_TRUE(scheduler.enqueue(alone, kStart));
  ASSERT_TRUE(scheduler.enqueue(job_of(3), kStart));
  EXPECT_THAT(started(), testing::IsEmpty()) << "3 would delay 2";
  scheduler.finished(1);
  EXPECT_THAT(started(), testing::ElementsAre(2));
  EXPECT_THAT(started(), testing::IsEmpty());
  scheduler.finished(2);
  EXPECT_THAT(started(), testing::ElementsAre(3));
}

TEST_F(AloneTest, OthersGoToOtherBrowsers) {
  bring_up("hs/0");
  bring_up("hs/1");
  Job alone = job_of(1);
  alone.is_alone = true;
  ASSERT_TRUE(scheduler.enqueue(alone, kStart));
  ASSERT_TRUE(scheduler.enqueue(job_of(2), kStart));
  const auto actions = scheduler.step(kStart);
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_NE(actions[0].slot, actions[1].slot);
}

TEST_F(AloneTest, ARetryMayBeOrderedToRunAlone) {
  bring_up("hs/0");
  ASSERT_TRUE(scheduler.enqueue(job_of(1), kStart));
  ASSERT_TRUE(scheduler.enqueue(job_of(2), kStart));
  EXPECT_THAT(started(), testing::ElementsAre(1, 2));
  scheduler.slot_down("hs/0");
  ASSERT_TRUE(scheduler.retry(1, "crashed", true));
  ASSERT_TRUE(scheduler.retry(2, "crashed"));
  bring_up("hs/0");
  EXPECT_THAT(started(), testing::ElementsAre(1));
  EXPECT_TRUE(scheduler.cancel(1));
  EXPECT_THAT(started(), testing::ElementsAre(2));
}

TEST_F(AloneTest, ALoweredBudgetUnloadsIdleGraphsOldestFirst) {
  bring_up("hs/0");
  scheduler.set_budget("hs/0", 1000);
  EXPECT_TRUE(scheduler.step(kStart).empty());
  scheduler.instance_ready("hs/0", kOther, {}, kStart + seconds(1));
  ASSERT_TRUE(scheduler.enqueue(job_of(1, kGpu), kStart));
  EXPECT_THAT(started(), testing::ElementsAre(1));
  scheduler.set_budget("hs/0", 250);
  auto actions = scheduler.step(kStart);
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(actions[0].kind, Action::Kind::kUnload);
  EXPECT_EQ(actions[0].candidate.instance, kWasm.instance);
  EXPECT_EQ(actions[1].candidate.instance, kOther.instance);
  EXPECT_EQ(resident_bytes(scheduler.slots().at("hs/0")), 100U);
  scheduler.set_budget("hs/0", 50);
  EXPECT_TRUE(scheduler.step(kStart).empty()) << "what is busy stays";
  scheduler.finished(1);
  EXPECT_EQ(scheduler.step(kStart).at(0).candidate.instance, kGpu.instance);
  EXPECT_EQ(scheduler.enqueue(job_of(2), kStart).error().code, Code::kResourceLimit);
}

}  // namespace
}  // namespace shoal::schedule
