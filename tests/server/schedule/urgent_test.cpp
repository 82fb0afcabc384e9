// What an urgent job finds before it: no more than schedule.max_batch_time, as far as times are known.
#include <gtest/gtest.h>

#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Candidate kGraph{Backend::kWasm, "m@wasm"};

class UrgentTest : public testing::Test {
 protected:
  UrgentTest() {
    scheduler.slot_configured("a/0", {Backend::kWasm});
    scheduler.slot_up("a/0", {Backend::kWasm}, {});
    scheduler.instance_ready("a/0", kGraph, {}, now);
  }
  Job job(std::uint32_t priority = 2, const std::string& key = {}) {
    Job made{.id = next++, .candidates = {kGraph}, .worker = {}, .priority = priority};
    made.deadline = now + seconds(1000);
    made.batch_key = key;
    made.batching = key.empty() ? nullptr : policy;
    return made;
  }
  JobId add(std::uint32_t priority = 2, const std::string& key = {}) {
    Job made = job(priority, key);
    const JobId id = made.id;
    EXPECT_TRUE(scheduler.enqueue(std::move(made), now));
    return id;
  }
  std::vector<JobId> sent() {
    std::vector<JobId> members;
    for (const Action& action : scheduler.step(now)) {
      members.insert(members.end(), action.members.begin(), action.members.end());
    }
    return members;
  }
  // Each run takes so long; the first one is not measured.
  void teach(Duration time) {
    for (int turn = 0; turn < 3; ++turn) {
      const JobId id = add();
      ASSERT_EQ(sent().size(), 1U);
      now += time;
      scheduler.finished(id, now);
    }
  }

  const std::shared_ptr<const BatchPolicy> policy = std::make_shared<const BatchPolicy>(BatchPolicy{.max_rows = 16});
  Scheduler scheduler{
      SchedulerLimits{.max_queued = 100, .ageing = Duration::zero(), .max_batch_time = milliseconds(250)}};
  TimePoint now{};
  JobId next = 1;
};

TEST_F(UrgentTest, TheSecondPlaceIsForRunsThatAreShortEnoughTogether) {
  teach(milliseconds(100));
  add();
  add();
  add();
  EXPECT_EQ(sent().size(), 2U) << "200 ms";
}

TEST_F(UrgentTest, ALongRunIsNotSentBehindAnother) {
  teach(milliseconds(200));
  const JobId first = add();
  const JobId second = add();
  EXPECT_EQ(sent(), std::vector<JobId>{first});
  const auto opens = scheduler.next_wakeup();
  ASSERT_TRUE(opens);
  EXPECT_GE(*opens, now + milliseconds(150)) << "then 50 ms of the first are left";
  EXPECT_LE(*opens, now + milliseconds(151));
  now = *opens;
  EXPECT_EQ(sent(), std::vector<JobId>{second});
}

TEST_F(UrgentTest, TheUrgentOneGoesBeforeTheOneThatWaits) {
  teach(milliseconds(200));
  const JobId first = add();
  add();
  ASSERT_EQ(sent(), std::vector<JobId>{first});
  const JobId urgent = add(1);
  EXPECT_TRUE(sent().empty());
  now += milliseconds(200);
  scheduler.finished(first, now);
  EXPECT_EQ(sent(), std::vector<JobId>{urgent});
}

TEST_F(UrgentTest, ARunLongerThanTheBoundRunsByItself) {
  teach(seconds(2));
  const JobId first = add();
  add();
  EXPECT_EQ(sent(), std::vector<JobId>{first});
  now += milliseconds(1999);
  EXPECT_TRUE(sent().empty());
  scheduler.finished(first, now);
  EXPECT_EQ(sent().size(), 1U);
}

TEST_F(UrgentTest, ABatchBehindARunKeepsToWhatIsLeft) {
  teach(milliseconds(40));
  add();
  ASSERT_EQ(sent().size(), 1U);
  for (int count = 0; count < 12; ++count) {
    add(2, "m");
  }
  EXPECT_EQ(sent().size(), 5U) << "200 of 250 ms";
}

TEST_F(UrgentTest, LessUrgentOnesDoNotMakeItsRunLongerThanItHasTimeFor) {
  teach(milliseconds(40));
  const JobId busy = add();
  const JobId other = add();
  ASSERT_EQ(sent().size(), 2U);
  add(1, "m");
  for (int count = 0; count < 12; ++count) {
    add(2, "m");
  }
  ASSERT_TRUE(sent().empty());
  now += milliseconds(130);
  scheduler.finished(busy);
  scheduler.finished(other);
  const std::vector<Action> actions = scheduler.step(now);
  ASSERT_FALSE(actions.empty());
  EXPECT_EQ(actions.front().members.size(), 3U) << "it has waited for 130 ms: 120 are left, 40 each";
}

TEST_F(UrgentTest, WhereNothingIsMeasuredBothPlacesAreTaken) {
  add();
  add();
  add();
  EXPECT_EQ(sent().size(), 2U);
}

TEST_F(UrgentTest, AGraphThatRunsSeveralAtOnceHasAsManyPlaces) {
  Scheduler echo{SchedulerLimits{.max_in_flight = 4, .max_batch_time = milliseconds(250)}};
  Candidate graph{Backend::kEcho, "e@echo"};
  graph.at_once = 2;
  echo.slot_configured("e/0", {Backend::kEcho});
  echo.slot_up("e/0", {Backend::kEcho}, {});
  echo.instance_ready("e/0", graph, {}, now);
  const auto run = [&](int count) {
    std::vector<JobId> ids;
    for (int index = 0; index < count; ++index) {
      Job made = job();
      made.candidates = {graph};
      EXPECT_TRUE(echo.enqueue(made, now));
    }
    for (const Action& action : echo.step(now)) {
      ids.push_back(action.job);
    }
    return ids;
  };
  for (int turn = 0; turn < 3; ++turn) {
    for (const JobId id : run(1)) {
      now += milliseconds(400);
      echo.finished(id, now);
    }
  }
  EXPECT_EQ(run(4).size(), 2U);
}

}  // namespace
}  // namespace shoal::schedule
