#include "server/dispatch/context_shift.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace shoal::dispatch {
namespace {

using testing::ElementsAre;

std::vector<std::uint32_t> numbers(std::uint32_t count) {
  std::vector<std::uint32_t> out(count);
  std::iota(out.begin(), out.end(), 0U);
  return out;
}

TEST(ContextShift, WhatHasRoomStays) {
  EXPECT_EQ(kept_of(numbers(9), 10, {}), numbers(9));
  EXPECT_EQ(kept_of(numbers(1), 2, {}), numbers(1));
}

TEST(ContextShift, TheFirstAndTheLastStay) {
  EXPECT_THAT(kept_of(numbers(10), 10, {.sinks = 2}), ElementsAre(0, 1, 6, 7, 8, 9));
  EXPECT_THAT(kept_of(numbers(100), 10, {.sinks = 0}), ElementsAre(95, 96, 97, 98, 99));
  EXPECT_THAT(kept_of(numbers(100), 10, {.sinks = 4}), ElementsAre(0, 1, 2, 3, 97, 98, 99));
}

TEST(ContextShift, ThereIsAlwaysRoomForMore) {
  for (std::uint32_t context = 2; context < 40; ++context) {
    for (std::uint32_t sinks = 0; sinks < 50; ++sinks) {
      for (std::uint32_t count = 1; count < 90; count += 7) {
        const auto kept = kept_of(numbers(count), context, {.sinks = sinks});
        ASSERT_LT(kept.size(), context) << count << " of " << context << " with " << sinks;
        ASSERT_EQ(kept.back(), count - 1);
        ASSERT_TRUE(std::ranges::is_sorted(kept));
      }
    }
  }
}

}  // namespace
}  // namespace shoal::dispatch
