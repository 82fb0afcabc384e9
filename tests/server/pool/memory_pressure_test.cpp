#include "server/pool/memory_pressure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::pool {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

// What has changed, as "slot+" and "slot-".
std::vector<std::string> looked(MemoryPressure& pressure, const std::vector<BrowserMemory>& browsers) {
  std::vector<std::string> told;
  for (const MemoryPressure::Change& change : pressure.look(browsers)) {
    told.push_back(change.slot + (change.is_pressed ? "+" : "-"));
    EXPECT_FALSE(change.reason.empty());
  }
  return told;
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(MemoryPressureTest, ABrowserIsPressedNearItsLimitAndStaysSoUntilWellBelow) {
  MemoryPressure pressure(0);
  EXPECT_THAT(looked(pressure, {{"a/0", 899, 1000}, {"a/1", 900, 1000}}), ElementsAre("a/1+"));
  EXPECT_TRUE(pressure.is_pressed("a/1"));
  EXPECT_THAT(looked(pressure, {{"a/0", 899, 1000}, {"a/1", 800, 1000}}), IsEmpty());
  EXPECT_THAT(looked(pressure, {{"a/0", 899, 1000}, {"a/1", 799, 1000}}), ElementsAre("a/1-"));
  EXPECT_FALSE(pressure.is_pressed("a/1"));
}

TEST(MemoryPressureTest, ThoseTogetherHaveALimitOfTheirOwn) {
  MemoryPressure pressure(2000);
  EXPECT_THAT(looked(pressure, {{"a/0", 890, 1000}, {"b/0", 890, 1000}}), IsEmpty());
  EXPECT_THAT(looked(pressure, {{"a/0", 895, 1000}, {"b/0", 895, 1000}, {"c/0", 10, 1000}}), ElementsAre("pool+"));
  EXPECT_TRUE(pressure.is_pressed());
  EXPECT_FALSE(pressure.is_pressed("a/0"));
  EXPECT_FALSE(pressure.excess());
  EXPECT_THAT(looked(pressure, {{"a/0", 895, 1000}}), ElementsAre("pool-"));
  EXPECT_EQ(pressure.total_bytes(), 895U);
}

TEST(MemoryPressureTest, BeyondTheLimitOfAllSomebodyHasToGo) {
  MemoryPressure pressure(100 * kMiB);
  looked(pressure, {{"a/0", 60 * kMiB, 0}, {"b/0", 39 * kMiB, 0}});
  EXPECT_FALSE(pressure.excess());
  looked(pressure, {{"a/0", 60 * kMiB, 0}, {"b/0", 50 * kMiB, 0}});
  ASSERT_TRUE(pressure.excess());
  EXPECT_EQ(*pressure.excess(), "worn: it takes most of the 110 MiB of all browsers, the limit is 100 MiB");
}

TEST(MemoryPressureTest, WithoutALimitNobodyIsPressed) {
  MemoryPressure pressure(0);
  EXPECT_THAT(looked(pressure, {{"a/0", 1ULL << 50, 0}}), IsEmpty());
  EXPECT_FALSE(pressure.excess());
}

TEST(MemoryPressureTest, WhoHasGoneIsForgottenAndASuccessorIsJudgedAnew) {
  MemoryPressure pressure(0);
  EXPECT_THAT(looked(pressure, {{"a/0", 950, 1000}}), ElementsAre("a/0+"));
  EXPECT_THAT(looked(pressure, {}), IsEmpty());
  EXPECT_THAT(looked(pressure, {{"a/0", 850, 1000}}), IsEmpty());
  EXPECT_THAT(looked(pressure, {{"a/0", 950, 1000}}), ElementsAre("a/0+"));
}

}  // namespace
}  // namespace shoal::pool
