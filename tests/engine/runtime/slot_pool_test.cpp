#include "engine/runtime/slot_pool.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace shoal::runtime {
namespace {

using Ints = std::vector<std::int32_t>;

// What a sequence leaves that has read and written these.
SlotPool::Place pass(SlotPool& pool, const Ints& tokens, std::string_view key = "") {
  const SlotPool::Place place = *pool.take(tokens, key);
  pool.append(place.slot, std::span(tokens).subspan(place.reused));
  pool.give_back(place.slot);
  return place;
}

TEST(SlotPool, GivesEachSlotOnce) {
  SlotPool pool(2);
  const auto first = pool.take(Ints{1}, "");
  const auto second = pool.take(Ints{2}, "");
  EXPECT_NE(first->slot, second->slot);
  EXPECT_FALSE(pool.has_free());
  EXPECT_FALSE(pool.take(Ints{3}, ""));
  pool.give_back(first->slot);
  EXPECT_EQ(pool.take(Ints{3}, "")->slot, first->slot);
}

TEST(SlotPool, WhatGoesOnTakesItsSlotOver) {
  SlotPool pool(3);
  const auto first = pass(pool, {1, 2, 3});
  pass(pool, {7, 8, 9});
  const auto next = pool.take(Ints{1, 2, 3, 4, 5}, "");
  EXPECT_EQ(next->slot, first.slot);
  EXPECT_EQ(next->reused, 3U);
  EXPECT_FALSE(next->source);
}

TEST(SlotPool, TheLastTokenOfAPromptIsReadAgain) {
  SlotPool pool(2);
  pass(pool, {1, 2, 3});
  EXPECT_EQ(pool.reusable(Ints{1, 2, 3}, ""), 2U);
  EXPECT_EQ(pool.reusable(Ints{1}, ""), 0U);
  EXPECT_EQ(pool.reusable(Ints{}, ""), 0U);
  EXPECT_EQ(pool.take(Ints{1, 2, 3}, "")->reused, 2U);
}

TEST(SlotPool, ABranchIsCopiedWhereThereIsRoom) {
  SlotPool pool(2);
  const auto first = pass(pool, {1, 2, 3, 4});
  const auto branch = pool.take(Ints{1, 2, 9, 9}, "");
  EXPECT_NE(branch->slot, first.slot);
  EXPECT_EQ(branch->reused, 2U);
  EXPECT_EQ(branch->source, first.slot);
  EXPECT_EQ(pool.reusable(Ints{1, 2, 3, 4, 5}, ""), 4U) << "the first one is still there";
  // The branch is being read: only the first one's slot is left, which is cut off then.
  const auto last = pool.take(Ints{1, 2, 3, 9}, "");
  EXPECT_EQ(last->slot, first.slot);
  EXPECT_EQ(last->reused, 3U);
  EXPECT_FALSE(last->source);
}

TEST(SlotPool, ARunningSequenceIsCopiedFrom) {
  SlotPool pool(2);
  const auto running = pool.take(Ints{1, 2, 3}, "");
  pool.append(running->slot, Ints{1, 2, 3});
  const auto other = pool.take(Ints{1, 2, 3, 4}, "");
  EXPECT_EQ(other->reused, 3U);
  EXPECT_EQ(other->source, running->slot);
}

TEST(SlotPool, PrefixesDoNotCrossKeys) {
  SlotPool pool(2);
  pass(pool, {1, 2, 3}, "alice");
  EXPECT_EQ(pool.reusable(Ints{1, 2, 3, 4}, "bob"), 0U);
  EXPECT_EQ(pool.take(Ints{1, 2, 3, 4}, "bob")->reused, 0U);
  EXPECT_EQ(pool.take(Ints{1, 2, 3, 4}, "alice")->reused, 3U);
}

TEST(SlotPool, TheLongestUnusedGoesFirst) {
  SlotPool pool(3);
  pass(pool, {1, 1, 1});
  pass(pool, {2, 2, 2});
  pass(pool, {3, 3, 3});
  pass(pool, {1, 1, 1, 1});
  pass(pool, {4, 4, 4});
  EXPECT_EQ(pool.reusable(Ints{2, 2, 2, 2}, ""), 0U);
  EXPECT_EQ(pool.reusable(Ints{1, 1, 1, 1, 1}, ""), 4U);
  EXPECT_EQ(pool.reusable(Ints{3, 3, 3, 3}, ""), 3U);
}

}  // namespace
}  // namespace shoal::runtime
