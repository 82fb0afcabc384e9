#include "server/schedule/batching.hpp"

#include <gtest/gtest.h>

#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{};
const Candidate kGraph{Backend::kWasm, "m:1@wasm"};

TEST(Cost, TellsTheFixedPartFromTheRest) {
  Cost cost;
  EXPECT_FALSE(cost.expected(1));
  for (const int units : {1, 4, 8, 2}) {
    cost.add(units, milliseconds(5 + 2 * units));
  }
  EXPECT_NEAR(cost.fixed_us(), 5000, 1);
  EXPECT_NEAR(cost.unit_us(), 2000, 1);
  EXPECT_NEAR(std::chrono::duration<double>(*cost.expected(16)).count(), 0.037, 1e-5);
}

TEST(Cost, OfOneSizeAloneIsProportional) {
  Cost cost;
  cost.add(4, milliseconds(40));
  cost.add(4, milliseconds(40));
  EXPECT_EQ(cost.fixed_us(), 0);
  EXPECT_NEAR(std::chrono::duration<double>(*cost.expected(8)).count(), 0.08, 1e-5);
}

class BatchingTest : public testing::Test {
 protected:
  BatchingTest() {
    scheduler.slot_configured("hs/0", {Backend::kWasm});
    scheduler.slot_up("hs/0", {Backend::kWasm}, {});
    scheduler.instance_ready("hs/0", kGraph, {}, kStart);
  }
  Job job_of(JobId id, std::uint32_t rows = 1, std::uint32_t length = 0) {
    Job job{.id = id, .candidates = {kGraph}, .worker = {}};
    job.deadline = kStart + seconds(30);
    job.batch_key = "m";
    job.batching = std::make_shared<const BatchPolicy>(policy);
    job.rows = rows;
    job.length = length;
    return job;
  }
  void add(Job job, TimePoint now = kStart) { ASSERT_TRUE(scheduler.enqueue(std::move(job), now)); }
  std::vector<JobId> next_run(TimePoint now = kStart) {
    for (Action& action : scheduler.step(now)) {
      if (action.kind == Action::Kind::kRun) {
        return std::move(action.members);
      }
    }
    return {};
  }
  // Two runs, the first of which is not measured: a row takes `row` and a run `fixed` besides.
  void teach(milliseconds fixed, milliseconds row) {
    for (const std::uint32_t rows : {1U, 1U, 4U, 1U}) {
      Job job = job_of(next_teacher_++, rows);
      job.batch_key.clear();
      add(std::move(job));
      const JobId id = next_run().at(0);
      taught_ += fixed + row * rows;
      scheduler.finished(id, kStart + taught_);
    }
  }

  BatchPolicy policy{.max_rows = 8, .joins_unmeasured = true};
  Scheduler scheduler{SchedulerLimits{.max_queued = 100, .max_in_flight = 1}};
  JobId next_teacher_ = 1000;
  Duration taught_{};
};

TEST_F(BatchingTest, JoinsWhatWaitsUpToTheModelsRows) {
  for (JobId id = 1; id <= 5; ++id) {
    add(job_of(id, 3));
  }
  const auto actions = scheduler.step(kStart);
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(actions[0].members, (std::vector<JobId>{1, 2})) << "three of them are nine rows";
  EXPECT_EQ(scheduler.running(), 2U);
  EXPECT_EQ(scheduler.members_beside(1), 1U);
  scheduler.finished(1);
  EXPECT_TRUE(scheduler.step(kStart).empty()) << "the run ends with its last member";
  scheduler.finished(2);
  EXPECT_EQ(next_run(), (std::vector<JobId>{3, 4}));
}

TEST_F(BatchingTest, NeverMixesKeysOrWorkersAndLeavesPlainJobsAlone) {
  Job other = job_of(2);
  other.batch_key = "another shape";
  Job bound = job_of(3);
  bound.worker = "hs/0";
  Job plain = job_of(4);
  plain.batch_key.clear();
  add(job_of(1));
  add(other);
  add(bound);
  add(plain);
  add(job_of(5));
  EXPECT_EQ(next_run(), (std::vector<JobId>{1, 5}));
}

TEST_F(BatchingTest, PriorityDecidesWhoIsSent) {
  add(job_of(1, 8));
  ASSERT_EQ(next_run().size(), 1U);
  for (JobId id = 2; id <= 9; ++id) {
    add(job_of(id));
  }
  Job urgent = job_of(10);
  urgent.priority = 1;
  add(urgent);
  scheduler.finished(1);
  const auto members = next_run();
  ASSERT_EQ(members.size(), 8U);
  EXPECT_EQ(members.front(), 10U) << "it displaces the last of those that would have gone";
  EXPECT_EQ(members.back(), 8U);
}

TEST_F(BatchingTest, TheLargestPreferredSizeThatIsReached) {
  policy.preferred = {2, 4};
  for (JobId id = 1; id <= 7; ++id) {
    add(job_of(id));
  }
  EXPECT_EQ(next_run().size(), 4U);
  for (JobId id = 1; id <= 4; ++id) {
    scheduler.finished(id);
  }
  EXPECT_EQ(next_run().size(), 2U);
  scheduler.finished(5);
  scheduler.finished(6);
  EXPECT_EQ(next_run().size(), 1U) << "no preferred size can be had, and nobody waits for one";
}

TEST_F(BatchingTest, ADelayHoldsAnIncompleteBatchAndAnArrivalThatCompletesItSendsIt) {
  policy.preferred = {4};
  policy.max_delay = milliseconds(50);
  add(job_of(1));
  add(job_of(2), kStart + milliseconds(30));
  EXPECT_TRUE(next_run(kStart + milliseconds(30)).empty());
  EXPECT_EQ(scheduler.next_wakeup(), kStart + milliseconds(50)) << "the oldest member decides";
  EXPECT_TRUE(next_run(kStart + milliseconds(49)).empty());
  add(job_of(3), kStart + milliseconds(49));
  add(job_of(4), kStart + milliseconds(49));
  EXPECT_EQ(next_run(kStart + milliseconds(49)).size(), 4U);
  for (JobId id = 1; id <= 4; ++id) {
    scheduler.finished(id);
  }
  add(job_of(5), kStart + milliseconds(60));
  EXPECT_TRUE(next_run(kStart + milliseconds(109)).empty());
  EXPECT_EQ(next_run(kStart + milliseconds(110)).size(), 1U);
}

TEST_F(BatchingTest, NotJoinedBeforeItsTimeIsKnownUnlessConfigured) {
  policy.joins_unmeasured = false;
  add(job_of(1));
  add(job_of(2));
  EXPECT_EQ(next_run().size(), 1U);
}

TEST_F(BatchingTest, KeepsToTheTimeThatARunMayTake) {
  teach(milliseconds(10), milliseconds(60));
  for (JobId id = 1; id <= 8; ++id) {
    add(job_of(id), kStart + taught_);
  }
  EXPECT_EQ(next_run(kStart + taught_).size(), 4U) << "10 ms + 4 x 60 ms is the bound, 250 ms";
}

TEST_F(BatchingTest, KeepsTheDeadlinesOfItsMembers) {
  teach(milliseconds(10), milliseconds(20));
  Job hurried = job_of(1);
  hurried.deadline = kStart + taught_ + milliseconds(55);
  add(hurried, kStart + taught_);
  for (JobId id = 2; id <= 8; ++id) {
    add(job_of(id), kStart + taught_);
  }
  EXPECT_EQ(next_run(kStart + taught_).size(), 2U) << "three would take 70 ms";
}

TEST_F(BatchingTest, PadsOnlyWhereThatIsCheaperThanAnotherRun) {
  const auto members_of = [&](std::uint32_t first, std::uint32_t second, const Cost& cost) {
    const Job one = job_of(1, 1, first);
    const Job two = job_of(2, 1, second);
    const Queue::Group group = {{2, false, one.deadline, 1, 1}, {2, false, two.deadline, 2, 2}};
    return form_batch(
               group, [&](JobId id) { return Waiting{id == 1 ? &one : &two, kStart}; }, {.cost = &cost, .max_time = {}},
               kStart)
        .members.size();
  };
  Cost cost;  // 10 ms for each run, 1 ms for each token
  for (const int units : {16, 32, 64}) {
    cost.add(units, milliseconds(10 + units));
  }
  EXPECT_EQ(members_of(19, 10, cost), 2U) << "nine tokens of padding, 9 ms";
  EXPECT_EQ(members_of(24, 10, cost), 1U);
  EXPECT_EQ(members_of(10, 24, cost), 1U);
}

TEST_F(BatchingTest, MembersThatLeaveDoNotEndTheRun) {
  for (JobId id = 1; id <= 3; ++id) {
    Job job = job_of(id);
    job.deadline = kStart + seconds(id);
    add(job);
  }
  ASSERT_EQ(next_run().size(), 3U);
  EXPECT_EQ(scheduler.cancel(3), "hs/0");
  add(job_of(4));
  const auto actions = scheduler.step(kStart + seconds(1));
  ASSERT_EQ(actions.size(), 1U) << "its deadline, and no place for the fourth";
  EXPECT_EQ(actions[0].job, 1U);
  scheduler.finished(2);
  EXPECT_EQ(next_run(kStart + seconds(1)), (std::vector<JobId>{4}));
}

TEST_F(BatchingTest, AfterALossOrAFailureMembersGoByThemselves) {
  for (JobId id = 1; id <= 2; ++id) {
    add(job_of(id));
  }
  ASSERT_EQ(next_run().size(), 2U);
  scheduler.run_singly(1);
  scheduler.run_singly(2);
  EXPECT_EQ(next_run(), (std::vector<JobId>{1}));
  ASSERT_TRUE(scheduler.retry(1, "killed"));
  scheduler.cancel(2);
  add(job_of(3));
  for (int attempt = 2; attempt <= 3; ++attempt) {
    EXPECT_EQ(next_run(), (std::vector<JobId>{1})) << "a failed run that was joined is no attempt: " << attempt;
    EXPECT_EQ(scheduler.retry(1, "killed").has_value(), attempt < 3);
  }
  EXPECT_EQ(next_run(), (std::vector<JobId>{3}));
}

TEST_F(BatchingTest, FixedShapesUseTheGraphThatCostsLeastForEachRow) {
  const Candidate eight{Backend::kWasm, "m:1@wasm[8]", 0, 8};
  const Candidate one{Backend::kWasm, "m:1@wasm[1]", 0, 1,
                      std::make_shared<const std::vector<Candidate>>(std::vector<Candidate>{eight})};
  scheduler.instance_ready("hs/0", one, {}, kStart);
  const auto fixed = [&](JobId id) {
    Job job = job_of(id);
    job.candidates = {one};
    return job;
  };
  for (JobId id = 1; id <= 2; ++id) {
    add(fixed(id));
    ASSERT_EQ(next_run().size(), 1U) << "one row is all it has";
    scheduler.finished(id, kStart + milliseconds(10) * static_cast<int>(id));
  }
  const TimePoint now = kStart + milliseconds(20);
  for (JobId id = 3; id <= 12; ++id) {
    add(fixed(id), now);
  }
  auto actions = scheduler.step(now);
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(actions[0].kind, Action::Kind::kLoad) << "eight wait: worth its place";
  EXPECT_EQ(actions[0].candidate.instance, eight.instance);
  EXPECT_EQ(actions[1].members.size(), 1U) << "meanwhile as it was";
  scheduler.instance_ready("hs/0", eight, {}, now);
  scheduler.finished(3, now);
  actions = scheduler.step(now);
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(actions[0].candidate.instance, eight.instance);
  EXPECT_EQ(actions[0].members.size(), 8U);
  for (JobId id = 4; id <= 11; ++id) {
    scheduler.finished(id, now);
  }
  EXPECT_EQ(scheduler.step(now).at(0).candidate.instance, one.instance) << "one is left";
}

}  // namespace
}  // namespace shoal::schedule
