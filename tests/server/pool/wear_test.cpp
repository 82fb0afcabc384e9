#include "server/pool/wear.hpp"

#include <gtest/gtest.h>

namespace shoal::pool {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kMiB = 1U << 20;

TEST(Wear, WithoutLimitsNothingWears) {
  EXPECT_FALSE(wear_verdict({}, {.runs = 1U << 30, .age = seconds(1'000'000), .memory_bytes = 1ULL << 40}));
}

TEST(Wear, EachLimitIsReachedAtItsValue) {
  const WearLimits limits{.max_runs = 10, .max_age = seconds(60), .max_memory_bytes = 100 * kMiB};
  EXPECT_FALSE(wear_verdict(limits, {.runs = 9, .age = seconds(59), .memory_bytes = 100 * kMiB - 1}));
  EXPECT_EQ(wear_verdict(limits, {.runs = 10}), "worn: 10 runs, the limit is 10");
  EXPECT_EQ(wear_verdict(limits, {.runs = 0, .age = seconds(60)}), "worn: connected for 60 s, the limit is 60 s");
  EXPECT_FALSE(wear_verdict(limits, {.runs = 0, .age = seconds(50), .memory_bytes = 120 * kMiB}))
      << "a successor would be no better";
  const WearLimits memory{.max_memory_bytes = 100 * kMiB};
  EXPECT_EQ(wear_verdict(memory, {.runs = 0, .age = seconds(60), .memory_bytes = 120 * kMiB}),
            "worn: its processes take 120 MiB, the limit is 100 MiB");
}

TEST(Wear, ARunawayIsFarBeyondTheLimit) {
  const WearLimits limits{.max_memory_bytes = 2048 * kMiB};
  EXPECT_FALSE(runaway_verdict(limits, 4096 * kMiB - 1));
  EXPECT_EQ(runaway_verdict(limits, 4096 * kMiB), "runaway: its processes take 4096 MiB, the limit is 2048 MiB");
  EXPECT_FALSE(runaway_verdict({}, 1ULL << 40)) << "no limit";
  EXPECT_FALSE(runaway_verdict({.max_memory_bytes = kMiB}, 600 * kMiB)) << "a browser with nothing loaded";
}

}  // namespace
}  // namespace shoal::pool
