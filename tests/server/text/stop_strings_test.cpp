#include "server/text/stop_strings.hpp"

#include <gtest/gtest.h>

#include <random>

namespace shoal::text {
namespace {

TEST(StopStrings, WithoutAnyEverythingPassesAtOnce) {
  StopStrings none({});
  EXPECT_EQ(none.add("abc"), "abc");
  EXPECT_EQ(none.finish(), "");
  EXPECT_FALSE(none.is_stopped());
}

TEST(StopStrings, WhatMayBeginOneIsHeldUntilItIsCertain) {
  StopStrings stops({"END", "\n\n"});
  EXPECT_EQ(stops.add("the E"), "the ");
  EXPECT_EQ(stops.add("N"), "");
  EXPECT_EQ(stops.add("\n"), "EN");
  EXPECT_EQ(stops.add("x\nE"), "\nx\n");
  EXPECT_EQ(stops.finish(), "E");
  EXPECT_FALSE(stops.is_stopped());
}

TEST(StopStrings, TheFirstOfThemEndsTheText) {
  StopStrings stops({"later", "now"});
  EXPECT_EQ(stops.add("not now but later"), "not ");
  EXPECT_TRUE(stops.is_stopped());
  EXPECT_EQ(stops.add("more"), "");
  EXPECT_EQ(stops.finish(), "");
}

// Every way to cut a text gives the same result as the whole.
TEST(StopStrings, PiecesDoNotMatter) {
  std::mt19937 random(3);
  const auto number = [&](std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
  };
  for (int round = 0; round < 2000; ++round) {
    const auto word = [&](std::size_t size) {
      std::string out;
      for (std::size_t index = 0; index < size; ++index) {
        out += static_cast<char>('a' + number(2));
      }
      return out;
    };
    const std::string whole = word(1 + number(20));
    const std::vector<std::string> stops = {word(1 + number(4)), word(2 + number(4))};
    const std::size_t end = std::min({whole.find(stops[0]), whole.find(stops[1]), whole.size()});
    StopStrings cut(stops);
    std::string told;
    for (std::size_t at = 0; at < whole.size();) {
      const std::size_t size = 1 + number(3);
      told += cut.add(std::string_view(whole).substr(at, size));
      ASSERT_EQ(told, whole.substr(0, told.size()));
      at += size;
    }
    told += cut.finish();
    EXPECT_EQ(cut.is_stopped(), end < whole.size());
    // Of two that overlap, the one that is whole first ends the text, wherever the other one begins.
    if (cut.is_stopped()) {
      EXPECT_GE(told.size(), end);
      EXPECT_TRUE(whole.substr(told.size()).starts_with(stops[0]) || whole.substr(told.size()).starts_with(stops[1]));
    } else {
      EXPECT_EQ(told, whole);
    }
  }
}

}  // namespace
}  // namespace shoal::text
