#include "server/dispatch/residency_rules.hpp"

#include <gtest/gtest.h>

#include "server/dispatch/demand_meter.hpp"
#include "server/schedule/scheduler.hpp"
#include "tests/server/dispatch/test_model.hpp"

namespace shoal::dispatch {
namespace {

models::ModelPtr pinned(const std::string& name, std::uint64_t bytes) {
  auto model = test_model({Backend::kWasm}, name);
  model->graph.size = bytes;
  model->residency.is_pinned = true;
  return model;
}

schedule::Slots two_slots() {
  schedule::Slots slots;
  slots["a/0"].memory_budget = 50;
  slots["a/1"].memory_budget = 100;
  return slots;
}

TEST(Keepers, ArePinnedOnesAndThoseWithALeastNumber) {
  models::Snapshot served;
  served.models["a"][1] = pinned("a", 10);
  const auto few = test_model({Backend::kWasm}, "b");
  few->residency.min_resident = 2;
  served.models["b"][1] = few;
  served.models["c"][1] = test_model({Backend::kWasm}, "c");
  const auto keepers = keepers_of(served);
  ASSERT_EQ(keepers.size(), 2U);
  EXPECT_EQ(keepers.at(instance_prefix(*served.models["a"][1])), schedule::Scheduler::kEverywhere);
  EXPECT_EQ(keepers.at(instance_prefix(*few)), 2U);
}

TEST(PinnedFit, OneThatIsToComeMustFitBesideAllThatAreServed) {
  models::Snapshot served;
  served.models["m"][1] = pinned("m", 60);
  EXPECT_TRUE(pinned_fit(*pinned("a", 40), served, two_slots(), 8));
  const Status refused = pinned_fit(*pinned("a", 41), served, two_slots(), 8);
  EXPECT_EQ(refused.error().code, Code::kResourceLimit);
  EXPECT_EQ(refused.error().param, "shoal_pinned");
  EXPECT_TRUE(pinned_fit(*pinned("m", 100), served, two_slots(), 8)) << "it takes its own place";
  EXPECT_EQ(pinned_fit(*pinned("a", 1), served, two_slots(), 1).error().code, Code::kResourceLimit);
  EXPECT_TRUE(pinned_fit(*test_model({Backend::kWasm}), served, two_slots(), 1)) << "it is not pinned";
}

TEST(PinnedFit, OfThoseThatAreServedTheFirstOnesByNameHaveTheRoom) {
  models::Snapshot served;
  for (const char* name : {"a", "b", "c"}) {
    served.models[name][1] = pinned(name, 50);
  }
  EXPECT_TRUE(pinned_fit(*served.models["a"][1], served, two_slots(), 8));
  EXPECT_TRUE(pinned_fit(*served.models["b"][1], served, two_slots(), 8));
  EXPECT_EQ(pinned_fit(*served.models["c"][1], served, two_slots(), 8).error().code, Code::kResourceLimit);
}

TEST(DemandMeter, CountsWhatIsOld) {
  DemandMeter meter;
  const TimePoint start;
  EXPECT_EQ(meter.of({"m", 1}, start), 0);
  meter.add({"m", 1}, start);
  meter.add({"m", 1}, start);
  EXPECT_DOUBLE_EQ(meter.of({"m", 1}, start), 2);
  EXPECT_NEAR(meter.of({"m", 1}, start + std::chrono::minutes(5)), 1, 1e-9);
  meter.add({"n", 1}, start + std::chrono::minutes(10));
  EXPECT_GT(meter.of({"n", 1}, start + std::chrono::minutes(10)), meter.of({"m", 1}, start + std::chrono::minutes(10)));
}

}  // namespace
}  // namespace shoal::dispatch
