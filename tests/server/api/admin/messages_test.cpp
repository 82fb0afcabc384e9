#include "server/api/admin/messages.hpp"

#include <gtest/gtest.h>

namespace shoal::api::admin {
namespace {

using namespace std::chrono_literals;

TEST(WorkerMessage, SaysWhatPoolAndSchedulerKnow) {
  const TimePoint now(1000s);
  pool::SlotView view{.slot = "chromium/1", .kind = "chromium", .state = pool::SlotState::kDraining, .reason = "why"};
  view.worker = pool::WorkerState{.slot = "chromium/1",
                                  .backends = {Backend::kWasm},
                                  .why_not = {{Backend::kWebgpu, "no adapter"}},
                                  .adapter = "",
                                  .browser = "Mozilla/5.0",
                                  .memory_bytes = 7};
  view.version = "chrome 1";
  view.last_message = now - 1500ms;
  view.gpu_bytes = 3;
  schedule::Slot slot{.is_up = true, .engines = {}, .intake = schedule::Intake::kDrained};
  slot.engines[Backend::kWasm].instances["m@wasm"] = {
      .kind = schedule::InstanceState::Kind::kReady, .since = {}, .last_used = {}, .in_flight = 2, .error = {}};
  const auto worker = worker_message(view, &slot, now);
  EXPECT_EQ(worker.state(), "draining");
  EXPECT_FALSE(worker.takes_work());
  EXPECT_EQ(worker.backends(0), "wasm");
  EXPECT_EQ(worker.why_not().at("webgpu"), "no adapter");
  EXPECT_EQ(worker.memory().pss_bytes(), 7U);
  EXPECT_EQ(worker.memory().gpu_bytes(), 3U);
  EXPECT_EQ(worker.heartbeat_age_ms(), 1500U);
  ASSERT_EQ(worker.instances_size(), 1);
  EXPECT_EQ(worker.instances(0).state(), "loaded");
  EXPECT_EQ(worker.instances(0).in_flight(), 2U);
  slot.intake = schedule::Intake::kOpen;
  EXPECT_TRUE(worker_message(view, &slot, now).takes_work());
}

TEST(WorkerMessage, OfASlotWithoutABrowserHasNothingOfABrowser) {
  const pool::SlotView view{
      .slot = "chromium/0", .kind = "chromium", .state = pool::SlotState::kBackingOff, .reason = ""};
  const auto worker = worker_message(view, nullptr, TimePoint(1s));
  EXPECT_EQ(worker.state(), "backing_off");
  EXPECT_FALSE(worker.has_memory());
  EXPECT_EQ(worker.backends_size(), 0);
}

TEST(EventMessages, SayWhatIsNotKeptAnyMore) {
  pool::EventRing ring(2);
  for (int count = 0; count < 5; ++count) {
    ring.add({.unix_ms = 1'700'000'000'123, .slot = "a/0", .to = "ready", .launched_in = 1500ms, .outage = 2s});
  }
  auto response = events_message(ring, 1, 10);
  EXPECT_EQ(response.last_sequence(), 5U);
  EXPECT_EQ(response.lost(), 2U) << "2 and 3";
  ASSERT_EQ(response.events_size(), 2);
  EXPECT_EQ(response.events(0).time(), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(response.events(0).launch_ms(), 1500U);
  EXPECT_EQ(response.events(0).outage_ms(), 2000U);
  EXPECT_EQ(events_message(ring, 3, 10).lost(), 0U);
  EXPECT_EQ(events_message(ring, 5, 10).lost(), 0U);
}

}  // namespace
}  // namespace shoal::api::admin
