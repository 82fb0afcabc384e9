// Runs that share their steps: as many of them as the engine makes together, beside whatever else it does.
#include <gtest/gtest.h>

#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::seconds;

const Candidate kChat{.backend = Backend::kWasm, .instance = "chat@wasm", .together = 3};
const Candidate kOther{.backend = Backend::kWasm, .instance = "other@wasm"};

class TogetherTest : public testing::Test {
 protected:
  TogetherTest() { add_slot("a/0"); }
  void add_slot(const std::string& slot) {
    scheduler.slot_configured(slot, {Backend::kWasm});
    scheduler.slot_up(slot, {Backend::kWasm}, {});
    scheduler.instance_ready(slot, kChat, {}, now);
    scheduler.instance_ready(slot, kOther, {}, now);
  }
  JobId add(const Candidate& candidate) {
    Job job{.id = next++, .candidates = {candidate}, .worker = {}};
    job.deadline = now + seconds(1000);
    const JobId id = job.id;
    EXPECT_TRUE(scheduler.enqueue(std::move(job), now));
    return id;
  }
  // The slots that jobs were sent to.
  std::vector<std::string> sent() {
    std::vector<std::string> slots;
    for (const Action& action : scheduler.step(now)) {
      slots.push_back(action.slot);
    }
    return slots;
  }
  void teach(const Candidate& candidate, Duration time) {
    for (int turn = 0; turn < 3; ++turn) {
      const JobId id = add(candidate);
      ASSERT_EQ(sent().size(), 1U);
      now += time;
      scheduler.finished(id, now);
    }
  }

  Scheduler scheduler{SchedulerLimits{.max_queued = 100, .max_in_flight = 2, .ageing = Duration::zero()}};
  TimePoint now{};
  JobId next = 1;
};

TEST_F(TogetherTest, AsManyAsItMakesAndNoMore) {
  const JobId first = add(kChat);
  for (int job = 0; job < 4; ++job) {
    add(kChat);
  }
  EXPECT_EQ(sent().size(), 3U);
  scheduler.finished(first, now);
  EXPECT_EQ(sent().size(), 1U);
}

TEST_F(TogetherTest, OthersHaveAPlaceBesideThem) {
  teach(kChat, seconds(10));
  teach(kOther, std::chrono::milliseconds(5));
  for (int job = 0; job < 3; ++job) {
    add(kChat);
  }
  EXPECT_EQ(sent().size(), 3U);
  now += seconds(1);
  const JobId other = add(kOther);
  EXPECT_EQ(sent().size(), 1U) << "nobody waits until a chat ends";
  now += std::chrono::milliseconds(5);
  scheduler.finished(other, now);
  EXPECT_EQ(scheduler.slots().at("a/0").engines.at(Backend::kWasm).costs.at("other@wasm").mean(),
            std::chrono::milliseconds(5));
  add(kOther);
  add(kOther);
  EXPECT_EQ(sent().size(), 1U) << "together they count as one of the two";
}

TEST_F(TogetherTest, TheyFindNoPlaceWhereOthersHaveThemAll) {
  add(kOther);
  add(kOther);
  EXPECT_EQ(sent().size(), 2U);
  add(kChat);
  EXPECT_TRUE(sent().empty());
  scheduler.finished(1, now);
  EXPECT_EQ(sent().size(), 1U);
  add(kChat);
  EXPECT_EQ(sent().size(), 1U);
}

TEST_F(TogetherTest, TheyAreSpreadOverTheWorkers) {
  add_slot("a/1");
  for (int job = 0; job < 6; ++job) {
    add(kChat);
  }
  const auto slots = sent();
  EXPECT_EQ(std::ranges::count(slots, "a/0"), 3);
  EXPECT_EQ(std::ranges::count(slots, "a/1"), 3);
  EXPECT_NE(slots.at(0), slots.at(1));
}

TEST_F(TogetherTest, EachIsMeasuredByItself) {
  const JobId warm = add(kChat);
  sent();
  scheduler.finished(warm, now);
  const JobId slow = add(kChat);
  const JobId quick = add(kChat);
  EXPECT_EQ(sent().size(), 2U);
  now += seconds(2);
  scheduler.finished(quick, now);
  now += seconds(2);
  scheduler.finished(slow, now);
  // Two and four seconds; the later one counts a little more.
  const Duration mean = scheduler.slots().at("a/0").engines.at(Backend::kWasm).costs.at("chat@wasm").mean();
  EXPECT_GE(mean, seconds(3));
  EXPECT_LT(mean, std::chrono::milliseconds(3100));
}

}  // namespace
}  // namespace shoal::schedule
