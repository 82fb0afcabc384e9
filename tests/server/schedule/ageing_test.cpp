// Ageing against starvation, with drawn traffic; the seed of a failing run is printed.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <tuple>

#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::milliseconds;

// More work than one engine can do, most of it urgent: whoever was accepted starts within the steps of ageing and the
// time that those before it take.
TEST(RandomSchedule, AgeingBoundsTheWait) {
  constexpr std::size_t kQueue = 20;
  constexpr Duration kAgeing = milliseconds(100);
  constexpr Duration kService = milliseconds(5);
  const Candidate graph{Backend::kWasm, "m"};
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Scheduler scheduler{SchedulerLimits{.max_queued = kQueue, .max_in_flight = 1, .ageing = kAgeing}};
    scheduler.slot_configured("a/0", {Backend::kWasm});
    scheduler.slot_up("a/0", {Backend::kWasm}, {});
    scheduler.instance_ready("a/0", graph, {}, TimePoint());
    std::map<JobId, TimePoint> since;
    Duration longest{};
    JobId running = 0;
    JobId next = 1;
    for (TimePoint now; now < TimePoint() + std::chrono::seconds(2); now += kService) {
      for (int count = 0; count < 2; ++count) {
        Job job{.id = next++, .candidates = {graph}, .worker = {}, .priority = random() % 10 == 0 ? 3U : 1U};
        job.deadline = now + std::chrono::hours(1) - milliseconds(random() % 1000) * static_cast<int>(next);
        since[job.id] = now;
        std::ignore = scheduler.enqueue(std::move(job), now);
      }
      if (running != 0) {
        scheduler.finished(running, now);
      }
      for (const Action& action : scheduler.step(now)) {
        ASSERT_EQ(action.kind, Action::Kind::kRun);
        running = action.job;
        longest = std::max(longest, now - since.at(running));
      }
    }
    EXPECT_LE(longest, 3 * kAgeing + static_cast<int>(kQueue) * kService);
    EXPECT_GT(longest, kAgeing) << "the load was none";
  }
}

}  // namespace
}  // namespace shoal::schedule
