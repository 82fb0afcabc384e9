// The simulation against queueing theory, and the scheduler's invariants under traffic that is too much for the fleet.
#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>
#include <vector>

#include "tests/simulation/traffic.hpp"
#include "tests/simulation/world.hpp"

namespace shoal::simulation {
namespace {

schedule::SchedulerLimits patient() { return {.max_queued = 1'000'000, .ageing = Duration::zero(), .joins = false}; }

double mean_latency(const Report& report) {
  double sum = 0;
  std::size_t count = 0;
  for (const auto& samples : report.latencies) {
    sum += mean(samples) * static_cast<double>(samples.size());
    count += samples.size();
  }
  return sum / static_cast<double>(count);
}

// Pollaczek and Khinchine: one server, Poisson arrivals, every run as long as the others. Whatever the order of
// service, as long as it does not depend on the length, the mean wait is load / (2 (1 - load)) of a run.
TEST(Simulation, OneWorkerWaitsAsTheoryHasIt) {
  for (const double load : {0.3, 0.6, 0.8}) {
    const Fleet fleet{.workers = 1, .models = 2, .fixed_ms = 10, .token_ms = 0, .speed_spread = 1};
    DrawnTraffic traffic(100'000, load / 0.010, 2, 1e5, 7);
    const Report report = World(fleet, patient()).run(traffic);
    EXPECT_TRUE(report.violations.empty()) << report.violations.front();
    EXPECT_EQ(report.answered, 100'000U);
    EXPECT_NEAR(report.busy_seconds / report.seconds, load, 0.01);
    const double expected = 0.010 * (1 + load / (2 * (1 - load)));
    EXPECT_NEAR(mean_latency(report) / expected, 1, 0.05) << "load " << load;
  }
}

TEST(Simulation, TooMuchTrafficKeepsEveryInvariant) {
  const Fleet fleet{.workers = 50, .models = 4};
  schedule::SchedulerLimits limits{.max_queued = 500, .ageing = std::chrono::seconds(1)};
  DrawnTraffic traffic(50'000, 3 * 50 / 0.025, 4, 0.5, 3);
  Report report = World(fleet, limits).run(traffic);
  EXPECT_TRUE(report.violations.empty()) << report.violations.front();
  EXPECT_EQ(report.arrived, report.answered + report.refused + report.expired);
  EXPECT_GT(report.refused, 0U);
  EXPECT_GT(report.busy_seconds / report.seconds / 50, 0.95) << "no worker idles while others wait";
  EXPECT_GT(fairness(report.answered_of_model), 0.98);
  // A tenth is urgent, a fifth can wait.
  const auto share = [&](std::size_t priority, double of_all) {
    return static_cast<double>(report.latencies.at(priority).size()) / (of_all * static_cast<double>(report.arrived));
  };
  EXPECT_GT(share(1, 0.1), share(2, 0.7)) << "the urgent ones go first";
  EXPECT_GT(share(2, 0.7), 5 * share(3, 0.2));
  for (auto& samples : report.latencies) {
    EXPECT_LE(percentile(samples, 100), 0.5) << "answered after the deadline";
  }
}

// At three times what the fleet can do one by one, what is let in is answered in time: less than one in a hundred is
// not, whatever the fleet's size and however the requests are sent.
TEST(Simulation, OverloadKeepsWhatItPromises) {
  for (const std::uint32_t workers : {2U, 16U}) {
    for (const bool joins : {true, false}) {
      schedule::SchedulerLimits limits{.max_queued = 10'000, .joins = joins};
      const auto run = [&](bool refuses_late) {
        limits.refuses_late = refuses_late;
        DrawnTraffic traffic(40'000, 3 * workers / 0.025, 4, 2, 5);
        return World(Fleet{.workers = workers}, limits).run(traffic);
      };
      const Report kept = run(true);
      const Report broken = run(false);
      EXPECT_TRUE(kept.violations.empty()) << kept.violations.front();
      EXPECT_LT(static_cast<double>(kept.expired), 0.01 * static_cast<double>(kept.answered + kept.expired))
          << workers << " workers, joined: " << joins;
      EXPECT_GT(broken.expired, 20 * kept.expired);
      EXPECT_GT(kept.answered, broken.answered) << "no work is done in vain";
      EXPECT_EQ(kept.expired_of[1], 0U);
      // Who is let in is served: the fleet is not kept idle by caution.
      EXPECT_GT(kept.busy_seconds / kept.seconds / workers, 0.97);
    }
  }
}

// At three times what the fleet can do an urgent request is delayed by no more than the longest run in service, which
// schedule.max_batch_time bounds; and that costs no throughput.
TEST(Simulation, OverloadDelaysUrgentOnesByOneRunAtMost) {
  constexpr std::uint32_t kWorkers = 8;
  const auto run = [](double load, Duration max_batch_time) {
    DrawnTraffic traffic(60'000, load * kWorkers / 0.025, 4, 2, 5);
    return World(Fleet{.workers = kWorkers}, {.max_queued = 10'000, .max_batch_time = max_batch_time}).run(traffic);
  };
  constexpr auto kBound = std::chrono::milliseconds(250);
  Report calm = run(0.05, kBound);
  Report busy = run(3, kBound);
  const Report unbounded = run(3, Duration::zero());
  EXPECT_TRUE(busy.violations.empty()) << busy.violations.front();
  const double bound = percentile(calm.latencies[1], 99) + std::chrono::duration<double>(kBound).count();
  EXPECT_LE(percentile(busy.latencies[1], 99), bound);
  EXPECT_GT(static_cast<double>(busy.answered), 0.98 * static_cast<double>(unbounded.answered));
}

// Six models on four workers that hold two each, half of what they could do if nothing had to be loaded: every model is
// served, and no more than a third of the time goes into loads.
TEST(Simulation, GraphsThatDoNotFitTogetherTakeTurns) {
  const Fleet fleet{.workers = 4, .models = 6, .resident = 2, .load_ms = 300};
  DrawnTraffic traffic(20'000, 0.5 * 4 / 0.025, 6, 30, 5);
  Report report = World(fleet, {.max_queued = 10'000}).run(traffic);
  EXPECT_TRUE(report.violations.empty()) << report.violations.front();
  EXPECT_EQ(report.arrived, report.answered + report.refused + report.expired);
  EXPECT_GT(report.answered, report.arrived * 99 / 100);
  EXPECT_GT(fairness(report.answered_of_model), 0.99);
  EXPECT_GT(report.loads, 6U);
  EXPECT_LT(report.load_seconds, report.seconds * 4 / 3);
}

// What fits is not refused: half of what the fleet can do one by one.
TEST(Simulation, NothingIsRefusedThatFits) {
  for (const std::uint32_t workers : {1U, 8U}) {
    DrawnTraffic traffic(50'000, 0.5 * workers / 0.025, 4, 2, 5);
    const Report report = World(Fleet{.workers = workers}, {.max_queued = 10'000}).run(traffic);
    EXPECT_EQ(report.refused, 0U);
    EXPECT_EQ(report.expired, 0U);
  }
}

TEST(Simulation, IsTheSameTwice) {
  std::vector<std::string> texts;
  for (int turn = 0; turn < 2; ++turn) {
    DrawnTraffic traffic(5'000, 400, 4, 2, 11);
    Report report = World(Fleet{.workers = 8}, {}).run(traffic);
    texts.push_back(text_of(report, 8));
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST(Simulation, RecordedTrafficIsReadStrictly) {
  std::istringstream fine(R"({"at": 0.5, "model": 3, "priority": 1, "rows": 2, "length": 9, "timeout": 4}
{"at": 0.5})");
  RecordedTraffic traffic(fine, 2);
  const auto first = traffic.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->model, 1U);
  EXPECT_EQ(first->rows, 2U);
  EXPECT_TRUE(traffic.next());
  EXPECT_FALSE(traffic.next());
  for (const char* text : {"{}", "x", R"({"at": -1})", R"({"at": 1, "priority": 0})", R"({"at": 1, "timeout": 0})",
                           R"({"at": 1, "rows": "two"})"}) {
    std::istringstream bad(text);
    RecordedTraffic broken(bad, 2);
    EXPECT_THROW(broken.next(), std::runtime_error) << text;
  }
}

}  // namespace
}  // namespace shoal::simulation
