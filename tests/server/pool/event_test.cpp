#include "server/pool/event.hpp"

#include <gtest/gtest.h>

#include "server/pool/event_log.hpp"
#include "server/pool/slot_fsm.hpp"

namespace shoal::pool {
namespace {

Event to(std::string state) { return {.slot = "a/0", .to = std::move(state)}; }

TEST(EventRing, KeepsTheLastOnesInOrder) {
  EventRing ring(3);
  EXPECT_EQ(ring.last_sequence(), 0U);
  EXPECT_TRUE(ring.after(0, 10).empty());
  for (const char* state : {"one", "two", "three", "four", "five"}) {
    ring.add(to(state));
  }
  EXPECT_EQ(ring.last_sequence(), 5U);
  EXPECT_EQ(ring.first_sequence(), 3U);
  const auto all = ring.after(0, 10);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all.front().to, "three");
  EXPECT_EQ(all.front().sequence, 3U);
  EXPECT_EQ(all.back().to, "five");
  ASSERT_EQ(ring.after(3, 1).size(), 1U);
  EXPECT_EQ(ring.after(3, 1).front().to, "four");
  EXPECT_TRUE(ring.after(5, 10).empty());
  EXPECT_TRUE(ring.after(99, 10).empty());
}

TEST(EventLog, StampsLogsAndTells) {
  std::string lines;
  std::vector<std::uint64_t> told;
  EventLog log(2, Log([&](LogLevel, std::string_view line) { lines += line; }, LogLevel::kInfo, Log::Format::kJson),
               [&](const Event& event) { told.push_back(event.sequence); });
  log.record(to("ready"));
  log.record({.slot = "a/0", .instance = "m@wasm", .from = "loading", .to = "loaded"});
  EXPECT_EQ(told, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_GT(log.ring().after(0, 1).front().unix_ms, 1'700'000'000'000);
  EXPECT_NE(lines.find(R"("event":"slot_state")"), std::string::npos);
  EXPECT_NE(lines.find(R"("event":"instance_state")"), std::string::npos);
}

TEST(Loss, IsToldFromTheSessionsWords) {
  EXPECT_EQ(loss_of("broke the protocol: a chunk of nothing"), Loss::kProtocol);
  EXPECT_EQ(loss_of("the agent leaves: the page is closed"), Loss::kLeft);
  EXPECT_EQ(loss_of("End of file"), Loss::kCrashed);
  EXPECT_EQ(loss_name(Loss::kCrashed), "crashed");
  EXPECT_EQ(loss_name(Loss::kClosing), "closing");
  EXPECT_EQ(teardown_name(Teardown::kProfile), "profile");
}

}  // namespace
}  // namespace shoal::pool
