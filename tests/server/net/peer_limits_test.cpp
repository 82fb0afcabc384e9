#include "server/net/peer_limits.hpp"

#include <gtest/gtest.h>

namespace shoal::net {
namespace {

using namespace std::chrono_literals;

constexpr PeerLimits::Limits kLimits{.connections = 3, .all_connections = 5, .per_second = 2, .burst = 10};

TEST(PeerLimitsTest, OneAddressHoldsAFewAllTogetherSome) {
  PeerLimits limits(kLimits);
  const TimePoint now{};
  for (int count = 0; count < 3; ++count) {
    EXPECT_TRUE(limits.enter("a", now));
  }
  EXPECT_FALSE(limits.enter("a", now));
  EXPECT_TRUE(limits.enter("b", now));
  EXPECT_TRUE(limits.enter("c", now));
  EXPECT_FALSE(limits.enter("d", now)) << "five are all there are";
  limits.leave("a");
  EXPECT_TRUE(limits.enter("d", now));
  EXPECT_EQ(limits.connections(), 5U);
}

TEST(PeerLimitsTest, NewOnesAreBoundedByARate) {
  PeerLimits limits(kLimits);
  int entered = 0;
  for (int tick = 0; tick < 1000; ++tick) {
    if (limits.enter("a", TimePoint{} + 10ms * tick)) {
      ++entered;
      limits.leave("a");
    }
  }
  EXPECT_GE(entered, 28);  // 10 at once and 2 a second for 10 s
  EXPECT_LE(entered, 30);
}

TEST(PeerLimitsTest, WhatItRemembersIsBounded) {
  PeerLimits limits({.connections = 1, .all_connections = 1'000'000, .per_second = 1000, .burst = 1});
  for (int peer = 0; peer < 50'000; ++peer) {
    const std::string name = std::to_string(peer);
    ASSERT_TRUE(limits.enter(name, TimePoint{} + 1ms * peer));
    limits.leave(name);
  }
}

}  // namespace
}  // namespace shoal::net
