// What a load costs against what waiting costs, and that graphs which are wanted by turns do not chase each other.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "server/schedule/residency.hpp"
#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{};
const Candidate kGraph{Backend::kWasm, "m@wasm", 100};

Job job_of(JobId id, const Candidate& candidate = kGraph) {
  Job job{.id = id, .candidates = {candidate}, .worker = {}};
  job.deadline = kStart + std::chrono::hours(1);
  return job;
}

TEST(LoadTimes, OwnOnesGoBeforeThoseOfTheSize) {
  LoadTimes loads;
  EXPECT_FALSE(loads.expected("a", 100));
  loads.add("a", 100, seconds(2));
  EXPECT_EQ(loads.expected("a", 100), Duration(seconds(2)));
  EXPECT_NEAR(std::chrono::duration<double>(*loads.expected("b", 300)).count(), 6, 0.01) << "three times the bytes";
  loads.add("b", 300, seconds(3));
  EXPECT_EQ(loads.expected("b", 300), Duration(seconds(3)));
  EXPECT_NEAR(std::chrono::duration<double>(*loads.expected("c", 200)).count(), 2.5, 0.02);
  loads.add("a", 100, seconds(1));
  EXPECT_EQ(loads.expected("a", 100), Duration(milliseconds(1500))) << "the caches are warm";
  LoadTimes empty_graphs;
  empty_graphs.add("a", 0, seconds(1));
  EXPECT_EQ(empty_graphs.expected("b", 0), Duration(seconds(1)));
}

// Two workers; the first one has the graph and is in the middle of a run.
class LoadCostTest : public testing::Test {
 protected:
  void begin(Duration load, Duration run) {
    for (const char* slot : {"a/0", "a/1"}) {
      scheduler.slot_configured(slot, {Backend::kWasm});
      scheduler.slot_up(slot, {Backend::kWasm}, {});
    }
    // What it takes to load is known on both, what a run takes on the first one.
    const Candidate other{Backend::kWasm, "other@wasm", 100};
    for (const auto& [slot, graph] : {std::pair("a/0", kGraph), std::pair("a/1", other)}) {
      scheduler.instance_loading(slot, graph, kStart);
      scheduler.instance_ready(slot, graph, {}, kStart + load);
    }
    now = kStart + load;
    for (JobId id = 1001; id <= 1003; ++id) {
      ASSERT_TRUE(scheduler.enqueue(job_of(id), now));
      ASSERT_EQ(scheduler.step(now).at(0).kind, Action::Kind::kRun);
      now += run;
      scheduler.finished(id, now);
    }
    ASSERT_TRUE(scheduler.enqueue(job_of(1), now));
    ASSERT_EQ(scheduler.step(now).at(0).slot, "a/0");
  }
  // A queue of so many jobs behind the one that runs.
  std::vector<Action> step_with(JobId waiting) {
    for (JobId id = 2; id < 2 + waiting; ++id) {
      EXPECT_TRUE(scheduler.enqueue(job_of(id), now));
    }
    return scheduler.step(now);
  }

  Scheduler scheduler{SchedulerLimits{.max_in_flight = 1, .ageing = Duration::zero()}};
  TimePoint now;
};

TEST_F(LoadCostTest, AJobWaitsForABusyWorkerThatIsDoneSoonerThanALoad) {
  begin(seconds(4), milliseconds(100));
  EXPECT_TRUE(step_with(1).empty()) << "100 ms are less than 4 s";
  now += milliseconds(100);
  scheduler.finished(1, now);
  EXPECT_EQ(scheduler.step(now).at(0).slot, "a/0");
}

TEST_F(LoadCostTest, TheQueueBeforeItCountsAndALoadIsMadeWhenThatPays) {
  begin(seconds(4), milliseconds(100));
  EXPECT_TRUE(step_with(30).empty()) << "the last one is done in 3 s";
  for (JobId id = 100; id < 140; ++id) {
    ASSERT_TRUE(scheduler.enqueue(job_of(id), now));
  }
  const auto actions = scheduler.step(now);
  ASSERT_EQ(actions.size(), 1U) << "of 70 the last one would wait for 7 s";
  EXPECT_EQ(actions[0].kind, Action::Kind::kLoad);
  EXPECT_EQ(actions[0].slot, "a/1");
  EXPECT_TRUE(scheduler.step(now).empty());
}

TEST_F(LoadCostTest, AShortLoadIsMadeAtOnce) {
  begin(milliseconds(50), seconds(2));
  const auto actions = step_with(1);
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(actions[0].kind, Action::Kind::kLoad);
  EXPECT_EQ(actions[0].slot, "a/1");
}

TEST_F(LoadCostTest, AWorkerThatShouldBeDoneLongAgoIsNotWaitedForForEver) {
  begin(seconds(4), milliseconds(100));
  EXPECT_TRUE(step_with(1).empty());
  const auto again = scheduler.next_wakeup();
  ASSERT_TRUE(again && *again < kStart + std::chrono::hours(1)) << "it is looked at again by itself";
  bool is_loaded = false;
  for (TimePoint at = *again; at < now + seconds(30) && !is_loaded;) {
    const auto actions = scheduler.step(at);
    is_loaded = !actions.empty() && actions[0].kind == Action::Kind::kLoad;
    at = is_loaded ? at : std::min(*scheduler.next_wakeup(), now + seconds(30));
  }
  EXPECT_TRUE(is_loaded) << "it hangs";
}

TEST_F(LoadCostTest, TimesOutliveTheBrowser) {
  begin(seconds(4), milliseconds(100));
  scheduler.slot_down("a/1");
  scheduler.slot_up("a/1", {Backend::kWasm}, {});
  EXPECT_EQ(scheduler.slots().at("a/1").engines.at(Backend::kWasm).loads.expected("other@wasm", 100),
            Duration(seconds(4)));
}

TEST(LoadCost, WithoutAnyTimesThereAreAsManyLoadsAsJobs) {
  Scheduler scheduler{SchedulerLimits{}};
  for (const char* slot : {"a/0", "a/1", "a/2"}) {
    scheduler.slot_configured(slot, {Backend::kWasm});
    scheduler.slot_up(slot, {Backend::kWasm}, {});
  }
  ASSERT_TRUE(scheduler.enqueue(job_of(1), kStart));
  EXPECT_EQ(scheduler.step(kStart).size(), 1U);
  EXPECT_TRUE(scheduler.step(kStart).empty());
  ASSERT_TRUE(scheduler.enqueue(job_of(2), kStart));
  EXPECT_EQ(scheduler.step(kStart).size(), 1U);
  EXPECT_TRUE(scheduler.step(kStart).empty());
}

TEST(LoadCost, NoMoreWorkersThanTheModelMayHave) {
  Scheduler scheduler{SchedulerLimits{.max_in_flight = 1}};
  for (const char* slot : {"a/0", "a/1"}) {
    scheduler.slot_configured(slot, {Backend::kWasm});
    scheduler.slot_up(slot, {Backend::kWasm}, {});
  }
  Candidate single = kGraph;
  single.max_workers = 1;
  for (JobId id = 1; id <= 3; ++id) {
    ASSERT_TRUE(scheduler.enqueue(job_of(id, single), kStart));
  }
  ASSERT_EQ(scheduler.step(kStart).size(), 1U);
  EXPECT_TRUE(scheduler.step(kStart).empty());
  scheduler.instance_ready("a/0", single, {}, kStart);
  EXPECT_EQ(scheduler.step(kStart).at(0).kind, Action::Kind::kRun);
  EXPECT_TRUE(scheduler.step(kStart).empty()) << "the others wait for this one";
  scheduler.set_intake("a/0", Intake::kDrained);
  EXPECT_EQ(scheduler.step(kStart).at(0).slot, "a/1") << "it serves no more";
}

TEST(Residency, ADemandedWorkerIsNotOneMoreThanTheModelMayHave) {
  Scheduler scheduler{SchedulerLimits{}};
  for (const char* slot : {"a/0", "a/1"}) {
    scheduler.slot_configured(slot, {Backend::kWasm});
    scheduler.slot_up(slot, {Backend::kWasm}, {});
  }
  Candidate single = kGraph;
  single.max_workers = 1;
  Job on_one = job_of(1, single);
  on_one.worker = "a/1";
  ASSERT_TRUE(scheduler.enqueue(on_one, kStart));
  EXPECT_EQ(scheduler.step(kStart).at(0).slot, "a/1") << "nobody has it yet";
  Job on_other = job_of(2, single);
  on_other.worker = "a/0";
  const Status refused = scheduler.enqueue(on_other, kStart);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_EQ(refused.error().param, "shoal_worker");
  scheduler.instance_ready("a/1", single, {}, kStart);
  EXPECT_EQ(scheduler.step(kStart).at(0).kind, Action::Kind::kRun);
  EXPECT_FALSE(scheduler.enqueue(on_other, kStart));
  scheduler.slot_down("a/1");
  EXPECT_TRUE(scheduler.enqueue(on_other, kStart)) << "nobody has it now";
}

// One worker, room for one graph, two models that are always asked for: each load is 100 ms, each run 10 ms.
TEST(Thrash, IsBoundedAndNobodyStarves) {
  for (const std::uint32_t in_flight : {1U, 2U}) {
    Scheduler scheduler{SchedulerLimits{.max_in_flight = in_flight, .max_instances = 1, .ageing = seconds(1)}};
    scheduler.slot_configured("a/0", {Backend::kWasm});
    scheduler.slot_up("a/0", {Backend::kWasm}, {});
    const std::map<int, Candidate> graphs = {{0, {Backend::kWasm, "m@wasm", 100}},
                                             {1, {Backend::kWasm, "n@wasm", 100}}};
    std::map<JobId, std::pair<int, TimePoint>> waiting;
    std::map<JobId, TimePoint> ends;
    std::optional<std::pair<Candidate, TimePoint>> load;
    std::map<int, int> served;
    TimePoint free;
    Duration loading{};
    Duration longest{};
    JobId next = 1;
    const TimePoint end = kStart + seconds(60);
    for (TimePoint now = kStart; now < end; now += milliseconds(5)) {
      for (const auto& [model, graph] : graphs) {
        const auto mine = std::ranges::count_if(waiting, [&](const auto& job) { return job.second.first == model; });
        if (mine < 4 && scheduler.enqueue(job_of(next, graph), now)) {
          waiting[next++] = {model, now};
        }
      }
      if (load && load->second <= now) {
        scheduler.instance_ready("a/0", load->first, {}, now);
        load.reset();
      }
      for (auto run = ends.begin(); run != ends.end();) {
        if (run->second <= now) {
          scheduler.finished(run->first, now);
          run = ends.erase(run);
        } else {
          ++run;
        }
      }
      for (auto actions = scheduler.step(now); !actions.empty(); actions = scheduler.step(now)) {
        for (const Action& action : actions) {
          if (action.kind == Action::Kind::kLoad) {
            load = {action.candidate, now + milliseconds(100)};
            loading += milliseconds(100);
          } else if (action.kind == Action::Kind::kRun) {
            free = std::max(free, now) + milliseconds(10);
            ends[action.job] = free;
            ++served[waiting.at(action.job).first];
            longest = std::max(longest, now - waiting.at(action.job).second);
            waiting.erase(action.job);
          }
        }
      }
    }
    EXPECT_LT(loading, (end - kStart) * 2 / 5) << "most of the time it computes";
    EXPECT_GT(served[0], 1000);
    EXPECT_GT(served[1], 1000);
    EXPECT_LT(longest, seconds(3)) << "the steps of ageing, and what runs then";
  }
}

TEST(Residency, WhatIsKeptStaysAndTheRestIsToldSo) {
  Scheduler scheduler{SchedulerLimits{.max_instances = 2}};
  for (const char* slot : {"a/0", "a/1"}) {
    scheduler.slot_configured(slot, {Backend::kWasm});
    scheduler.slot_up(slot, {Backend::kWasm}, {});
    scheduler.set_budget(slot, 250);
    scheduler.instance_ready(slot, kGraph, {}, kStart);
  }
  const auto is_kept = [&](const char* slot) {
    return scheduler.slots().at(slot).engines.at(Backend::kWasm).instances.at(kGraph.instance).is_kept;
  };
  scheduler.keep({{"m@", 1}});
  EXPECT_TRUE(is_kept("a/0"));
  EXPECT_FALSE(is_kept("a/1"));
  scheduler.set_intake("a/0", Intake::kDrained);
  EXPECT_TRUE(is_kept("a/1")) << "one that takes work keeps it";
  EXPECT_FALSE(is_kept("a/0"));
  scheduler.set_intake("a/0", Intake::kOpen);
  EXPECT_TRUE(is_kept("a/1")) << "and goes on";
  scheduler.slot_down("a/1");
  EXPECT_TRUE(is_kept("a/0"));
  scheduler.keep({{"m@", Scheduler::kEverywhere}});
  // 200 bytes fit beside nothing that is kept.
  const Candidate large{Backend::kWasm, "large@wasm", 200};
  Job job = job_of(1, large);
  job.worker = "a/0";
  const Status refused = scheduler.enqueue(job, kStart);
  EXPECT_EQ(refused.error().code, Code::kResourceLimit);
  EXPECT_NE(refused.error().message.find("shoal_pinned"), std::string::npos) << refused.error().message;
  scheduler.keep({});
  EXPECT_TRUE(scheduler.enqueue(job, kStart));
  const auto actions = scheduler.step(kStart);
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(actions[0].kind, Action::Kind::kUnload);
  EXPECT_EQ(actions[1].kind, Action::Kind::kLoad);
}

TEST(Residency, FetchMakesRoomByWhatNobodyWaitsFor) {
  Scheduler scheduler{SchedulerLimits{.max_instances = 1}};
  scheduler.slot_configured("a/0", {Backend::kWasm});
  scheduler.slot_up("a/0", {Backend::kWasm}, {});
  scheduler.instance_ready("a/0", kGraph, {}, kStart);
  const Candidate other{Backend::kWasm, "n@wasm", 10};
  EXPECT_FALSE(scheduler.fetch("a/0", kGraph, kStart)) << "it is there";
  const auto gone = scheduler.fetch("a/0", other, kStart);
  ASSERT_TRUE(gone);
  ASSERT_EQ(gone->size(), 1U);
  EXPECT_EQ(gone->front().instance, kGraph.instance);
  EXPECT_EQ(workers_with(scheduler.slots(), other), 1U);
  EXPECT_FALSE(scheduler.fetch("a/0", kGraph, kStart)) << "what is being loaded stays";
}

TEST(Pressure, LoadsRatherGoElsewhereAndSomewhereAllTheSame) {
  Scheduler scheduler{SchedulerLimits()};
  for (const char* slot : {"a/0", "a/1"}) {
    scheduler.slot_configured(slot, {Backend::kWasm});
    scheduler.slot_up(slot, {Backend::kWasm}, {});
  }
  const auto loaded_on = [&](JobId id, const Candidate& graph) {
    EXPECT_TRUE(scheduler.enqueue(job_of(id, graph), kStart));
    const auto actions = scheduler.step(kStart);
    EXPECT_EQ(actions.at(0).kind, Action::Kind::kLoad);
    return std::ranges::find(actions, graph.instance, [](const Action& action) { return action.candidate.instance; })
        ->slot;
  };
  scheduler.set_pressed("a/0", true);
  EXPECT_EQ(loaded_on(1, {Backend::kWasm, "p@wasm", 100}), "a/1") << "although a/0 comes first by name";
  scheduler.set_pressed("a/1", true);
  EXPECT_EQ(loaded_on(2, {Backend::kWasm, "q@wasm", 100}), "a/0") << "all are pressed, and serve";
  scheduler.set_pressed("a/1", false);
  scheduler.slot_down("a/0");
  scheduler.slot_up("a/0", {Backend::kWasm}, {});
  EXPECT_EQ(loaded_on(3, {Backend::kWasm, "r@wasm", 100}), "a/0") << "another browser, another memory";
}

}  // namespace
}  // namespace shoal::schedule
