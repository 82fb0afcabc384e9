#include "server/auth/gate.hpp"

#include <gtest/gtest.h>

namespace shoal::auth {
namespace {

using namespace std::chrono_literals;

const WallTime kWall{1'800'000'000'000ms};
const TimePoint kNow = TimePoint{} + 1h;

KeyBook book_of(KeySpec spec) {
  KeyBook book;
  EXPECT_TRUE(book.create(std::move(spec), "a", "secret", kWall));
  return book;
}

TEST(GateTest, IsOpenUntilThereAreKeys) {
  Gate gate;
  EXPECT_TRUE(gate.admit(Scope::kAdmin, "", kNow, kWall));
  gate.close(KeyBook());
  EXPECT_FALSE(gate.admit(Scope::kAdmin, "", kNow, kWall));
  EXPECT_TRUE(gate.admit(Scope::kPublic, "", kNow, kWall));
}

TEST(GateTest, TheKeyMustBeRightAndHaveTheScope) {
  Gate gate;
  std::vector<Code> refused;
  gate.set_refused([&](Code code) { refused.push_back(code); });
  gate.close(book_of({.name = "ci", .scopes = {Scope::kInfer}}));
  for (const char* header : {"Bearer secret", "bearer   secret", "BEARER secret", "secret"}) {
    EXPECT_TRUE(gate.admit(Scope::kInfer, header, kNow, kWall)) << header;
  }
  for (const char* header : {"", " ", "Bearer ", "Bearer wrong", "Basic secret", "secret "}) {
    const Status status = gate.admit(Scope::kInfer, header, kNow, kWall);
    ASSERT_FALSE(status) << header;
    EXPECT_EQ(status.error().code, Code::kUnauthenticated) << header;
    EXPECT_EQ(status.error().message.find("wrong'"), std::string::npos) << "what was sent is not repeated";
  }
  const Status status = gate.admit(Scope::kAdmin, "Bearer secret", kNow, kWall);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kPermissionDenied);
  EXPECT_EQ(status.error().message, "this needs the scope 'admin', and the API key 'ci' has: infer");
  EXPECT_EQ(refused.size(), 7U);
}

TEST(GateTest, ARateAllowsABurstAndThenItsShare) {
  Gate gate;
  gate.close(book_of({.name = "ci", .scopes = {Scope::kInfer}, .requests_per_second = 4}));
  const auto admit = [&](TimePoint now) { return gate.admit(Scope::kInfer, "secret", now, kWall).has_value(); };
  for (int request = 0; request < 4; ++request) {
    EXPECT_TRUE(admit(kNow)) << request;
  }
  EXPECT_EQ(gate.admit(Scope::kInfer, "secret", kNow, kWall).error().code, Code::kQuotaExceeded);
  EXPECT_FALSE(admit(kNow + 240ms));
  EXPECT_TRUE(admit(kNow + 260ms));
  EXPECT_FALSE(admit(kNow + 270ms));
  int admitted = 0;
  for (int request = 0; request < 1000; ++request) {
    admitted += admit(kNow + 1s + request * 10ms) ? 1 : 0;
  }
  EXPECT_NEAR(admitted, 10 * 4, 5);
}

TEST(GateTest, ABurstMayBeMoreOrLessThanASecondsWorth) {
  for (const int burst : {1, 10}) {
    Gate gate;
    gate.close(book_of(
        {.name = "ci", .scopes = {Scope::kInfer}, .requests_per_second = 4, .burst = static_cast<double>(burst)}));
    const auto admitted = [&](TimePoint now) {
      int count = 0;
      while (count < 100 && gate.admit(Scope::kInfer, "secret", now, kWall)) {
        ++count;
      }
      return count;
    };
    EXPECT_EQ(admitted(kNow), burst);
    EXPECT_EQ(admitted(kNow + 250ms), 1);
    EXPECT_EQ(admitted(kNow + 1h), burst);
  }
}

TEST(GateTest, LessThanOnePerSecondIsARateToo) {
  Gate gate;
  gate.close(book_of({.name = "slow", .scopes = {Scope::kInfer}, .requests_per_second = 0.5}));
  EXPECT_TRUE(gate.admit(Scope::kInfer, "secret", kNow, kWall));
  EXPECT_FALSE(gate.admit(Scope::kInfer, "secret", kNow + 1s, kWall));
  EXPECT_TRUE(gate.admit(Scope::kInfer, "secret", kNow + 2500ms, kWall));
}

TEST(GateTest, ANewBookIsTheOneThatCounts) {
  Gate gate;
  gate.close(book_of({.name = "ci", .scopes = {Scope::kInfer}}));
  ASSERT_TRUE(gate.admit(Scope::kInfer, "secret", kNow, kWall));
  KeyBook revoked = book_of({.name = "ci", .scopes = {Scope::kInfer}});
  ASSERT_TRUE(revoked.revoke("a", kWall));
  gate.close(std::move(revoked));
  EXPECT_FALSE(gate.admit(Scope::kInfer, "secret", kNow, kWall));
}

}  // namespace
}  // namespace shoal::auth
