#include "server/pool/liveness.hpp"

#include <gtest/gtest.h>

namespace shoal::pool {
namespace {

using namespace std::chrono_literals;

const LivenessLimits kLimits{.link_silence = 10s, .page_silence = 30s, .engine_silence = 30s};
const TimePoint kNow{1000s};

Beat beat(Duration page_age, std::map<std::string, Duration> engines = {}) {
  return {.arrived = kNow - 1s, .page_age = page_age, .engine_age = std::move(engines)};
}

std::string verdict(TimePoint last_message, const std::optional<Beat>& last_beat, std::vector<WorkInHand> work = {}) {
  return liveness_verdict(kLimits, last_message, last_beat, work, kNow).value_or("");
}

TEST(LivenessTest, FreshIsFine) {
  EXPECT_EQ(verdict(kNow - 1s, std::nullopt), "");
  EXPECT_EQ(verdict(kNow - 1s, beat(100ms, {{"wasm", 100ms}})), "");
}

TEST(LivenessTest, SilenceOnAnOpenConnectionIsAHang) {
  EXPECT_EQ(verdict(kNow - 10s, std::nullopt), "");
  EXPECT_EQ(verdict(kNow - 11s, std::nullopt), "hung: no message for 11.0 s on an open connection");
}

TEST(LivenessTest, APageThatStopsBeatingHangs) {
  EXPECT_EQ(verdict(kNow - 1s, beat(29s)), "");
  EXPECT_EQ(verdict(kNow - 1s, beat(30s)), "hung: the page's last beat is 31.0 s old");
}

TEST(LivenessTest, AnEngineMayBeSilentWhileItWorks) {
  const Beat silent = beat(0s, {{"wasm", 60s}, {"webnn", 0s}});
  EXPECT_EQ(verdict(kNow - 1s, silent), "hung: the idle wasm engine's last beat is 61.0 s old");
  EXPECT_EQ(verdict(kNow - 1s, silent, {{.work_id = 1, .backend = "wasm", .answer_by = kNow + 1s}}), "");
  EXPECT_EQ(verdict(kNow - 1s, silent, {{.work_id = 1, .backend = "", .answer_by = kNow + 1s}}), "");
  EXPECT_NE(verdict(kNow - 1s, silent, {{.work_id = 1, .backend = "webnn", .answer_by = kNow + 1s}}), "");
}

TEST(LivenessTest, WorkThatIsOverdueIsAHang) {
  EXPECT_EQ(verdict(kNow, beat(0s), {{.work_id = 7, .backend = "wasm", .answer_by = kNow}}), "");
  EXPECT_EQ(verdict(kNow, beat(0s), {{.work_id = 7, .backend = "wasm", .answer_by = kNow - 500ms}}),
            "hung: work 7 has no answer 0.5 s after it was due at the latest");
  EXPECT_EQ(verdict(kNow, beat(0s), {{.work_id = 7, .backend = "wasm", .answer_by = kNoDeadline}}), "");
}

}  // namespace
}  // namespace shoal::pool
