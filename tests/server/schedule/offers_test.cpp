// What is kept of the slots' offers decides as a look at all of them does.
#include "server/schedule/offers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

namespace shoal::schedule {
namespace {

using std::chrono::milliseconds;

void expect_same(const Placement& kept, const Placement& found) {
  EXPECT_EQ(kept.kind, found.kind);
  EXPECT_EQ(kept.slot, found.slot);
  EXPECT_EQ(kept.candidate.instance, found.candidate.instance);
  EXPECT_EQ(kept.fallback_from, found.fallback_from);
  EXPECT_EQ(kept.error.message, found.error.message);
  ASSERT_EQ(kept.evicted.size(), found.evicted.size());
  for (std::size_t index = 0; index < kept.evicted.size(); ++index) {
    EXPECT_EQ(kept.evicted[index].instance, found.evicted[index].instance);
  }
}

class Pool {
 public:
  explicit Pool(std::uint32_t seed) : random_(seed) {
    limits_.max_instances = 3;
    limits_.prefers_measured = pick(2) == 0;
    limits_.balances_load = pick(4) > 0;
  }

  void change() {
    const std::string name = "s/" + std::to_string(pick(6));
    offers_.changed(name);
    if (pick(12) == 0) {
      slots_.erase(name);
      return;
    }
    Slot& slot = slots_[name];
    const auto backend = pick(2) == 0 ? Backend::kWasm : Backend::kWebgpu;
    Engine& engine = slot.engines[backend];
    const std::string graph = graph_of(backend);
    switch (pick(8)) {
      case 0:
        slot.is_up = pick(4) > 0;
        break;
      case 1:
        slot.intake = pick(2) == 0 ? Intake::kOpen : static_cast<Intake>(pick(3));
        break;
      case 2:
        slot.tier = pick(3) == 0 ? Tier::kUntrusted : Tier::kTrusted;
        break;
      case 3:
        slot.memory_budget = pick(3) * 100;
        break;
      case 4:
        slot.is_reserved = pick(4) == 0;
        break;
      case 5:
        engine.in_flight = pick(3);
        break;
      case 6:
        engine.costs[graph].add(1 + pick(4), milliseconds(1 + pick(20)));
        break;
      default:
        engine.usable = true;
        engine.instances[graph] = {.kind = static_cast<InstanceState::Kind>(pick(3)),
                                   .since = {},
                                   .last_used = TimePoint() + milliseconds(pick(1000)),
                                   .bytes = pick(120)};
    }
  }

  void compare() {
    Job job{.id = 1, .candidates = {}, .worker = {}};
    for (const Backend backend : {Backend::kWebgpu, Backend::kWasm}) {
      job.candidates.push_back({backend, graph_of(backend), 10});
    }
    job.min_tier = pick(2) == 0 ? Tier::kTrusted : Tier::kUntrusted;
    job.rows = 1 + pick(4);
    job.is_alone = pick(8) == 0;
    if (pick(8) == 0) {
      job.worker = "s/" + std::to_string(pick(6));
    }
    const Moment moment{.now = TimePoint() + milliseconds(pick(2000)), .waiting = 1 + pick(8)};
    const Placement found = place(slots_, job, limits_, moment);
    ++kinds_[static_cast<std::size_t>(found.kind)];
    expect_same(offers_.place(slots_, job, limits_, moment), found);
  }

  [[nodiscard]] const std::array<int, 4>& kinds() const { return kinds_; }

 private:
  std::uint32_t pick(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
  }
  std::string graph_of(Backend backend) { return std::to_string(pick(4)) + "@" + std::string(backend_name(backend)); }

  std::mt19937 random_;
  SchedulerLimits limits_;
  Slots slots_;
  Offers offers_;
  std::array<int, 4> kinds_{};
};

TEST(Offers, DecideAsALookAtEverySlotDoes) {
  std::array<int, 4> kinds{};
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Pool pool(seed);
    for (int round = 0; round < 400; ++round) {
      pool.change();
      if (round % 3 == 0) {
        pool.compare();
      }
      ASSERT_FALSE(testing::Test::HasFailure()) << "round " << round;
    }
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      kinds[kind] += pool.kinds()[kind];
    }
  }
  for (const int count : kinds) {
    EXPECT_GT(count, 100) << "a kind of placement that was not tried";
  }
}

TEST(Offers, OfManyGraphsAndManyChangesAreLookedAtAgain) {
  Slots slots;
  Offers offers;
  for (const char* name : {"a/0", "a/1"}) {
    slots[name] = Slot{.is_up = true, .engines = {}};
    slots[name].engines[Backend::kWasm].usable = true;
  }
  const auto job_of = [](int graph) {
    return Job{.id = 1, .candidates = {{Backend::kWasm, std::to_string(graph)}}, .worker = {}};
  };
  for (int graph = 0; graph < 600; ++graph) {
    expect_same(offers.place(slots, job_of(graph), {}), place(slots, job_of(graph), {}));
  }
  EXPECT_EQ(offers.place(slots, job_of(599), {}).kind, Placement::Kind::kLoad);
  for (int change = 0; change < 10'000; ++change) {
    offers.changed("a/0");
    slots["a/0"].is_up = change % 2 == 0;
  }
  offers.changed("a/1");
  slots["a/1"].is_up = false;
  expect_same(offers.place(slots, job_of(599), {}), place(slots, job_of(599), {}));
  EXPECT_EQ(offers.place(slots, job_of(599), {}).kind, Placement::Kind::kWait);
}

}  // namespace
}  // namespace shoal::schedule
