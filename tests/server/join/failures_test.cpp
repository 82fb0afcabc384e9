#include "server/join/failures.hpp"

#include <gtest/gtest.h>

namespace shoal::join {
namespace {

using namespace std::chrono_literals;

TEST(FailuresTest, AnAddressIsBlockedForTheRestOfItsWindow) {
  Failures failures(3, 60s);
  const TimePoint now{};
  for (int count = 0; count < 3; ++count) {
    EXPECT_FALSE(failures.is_blocked("10.0.0.1", now));
    failures.add("10.0.0.1", now + 1s * count);
  }
  EXPECT_TRUE(failures.is_blocked("10.0.0.1", now + 59s));
  EXPECT_FALSE(failures.is_blocked("10.0.0.2", now + 59s));
  EXPECT_FALSE(failures.is_blocked("10.0.0.1", now + 60s));
  failures.add("10.0.0.1", now + 60s);
  EXPECT_FALSE(failures.is_blocked("10.0.0.1", now + 61s)) << "a new window counts from one";
}

TEST(FailuresTest, ManyAddressesAreBounded) {
  Failures failures(1, 60s);
  for (int peer = 0; peer < 10'000; ++peer) {
    failures.add(std::to_string(peer), TimePoint{} + 1ms * peer);
  }
  EXPECT_EQ(failures.size(), Failures::kMaxPeers);
  EXPECT_TRUE(failures.is_blocked("9999", TimePoint{} + 10s));
}

}  // namespace
}  // namespace shoal::join
