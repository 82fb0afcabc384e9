#include "server/schedule/quarantine.hpp"

#include <gtest/gtest.h>

namespace shoal::schedule {
namespace {

using namespace std::chrono_literals;

Tensor tensor(std::string name, std::string data) {
  const auto size = static_cast<std::int64_t>(data.size());
  return {.name = std::move(name), .datatype = DataType::kUint8, .shape = {size}, .data = std::move(data)};
}

class QuarantineTest : public ::testing::Test {
 protected:
  bool lose(const Fingerprint& fingerprint) {
    ++life;
    return lose_again(fingerprint);
  }
  bool lose_again(const Fingerprint& fingerprint) {
    return quarantine.lost({.fingerprint = fingerprint,
                            .model = "m",
                            .version = 1,
                            .bytes = 4,
                            .last_loss = {},
                            .reason = "crashed",
                            .last_slot = "hs/0",
                            .last_life = life},
                           now);
  }
  TimePoint now = TimePoint(1000s);
  std::uint64_t life = 0;
  Quarantine quarantine{{.max_losses = 3, .expiry = 60s, .capacity = 2}};
};

TEST(Fingerprint, IsOfEverythingThatIsAskedAndNothingElse) {
  const Fingerprint first = fingerprint_of("m", 1, {tensor("x", "abcd")}, {});
  EXPECT_EQ(first.size(), 64U);
  EXPECT_EQ(first, fingerprint_of("m", 1, {tensor("x", "abcd")}, {}));
  EXPECT_NE(first, fingerprint_of("m", 2, {tensor("x", "abcd")}, {}));
  EXPECT_NE(first, fingerprint_of("n", 1, {tensor("x", "abcd")}, {}));
  EXPECT_NE(first, fingerprint_of("m", 1, {tensor("x", "abce")}, {}));
  EXPECT_NE(first, fingerprint_of("m", 1, {tensor("y", "abcd")}, {}));
  EXPECT_NE(first, fingerprint_of("m", 1, {tensor("x", "abcd")}, {"y"}));
  EXPECT_NE(fingerprint_of("m", 1, {tensor("x", "ab"), tensor("y", "")}, {}),
            fingerprint_of("m", 1, {tensor("x", "a"), tensor("y", "b")}, {}));
}

TEST_F(QuarantineTest, TheLastLossQuarantinesAndTheOneBeforePutsItOnTrial) {
  EXPECT_FALSE(quarantine.may_know("m", 1, 4));
  EXPECT_FALSE(lose("a"));
  EXPECT_TRUE(quarantine.may_know("m", 1, 4));
  EXPECT_FALSE(quarantine.may_know("m", 1, 5));
  EXPECT_FALSE(quarantine.is_on_trial("a"));
  EXPECT_FALSE(lose("a"));
  EXPECT_TRUE(quarantine.is_on_trial("a"));
  EXPECT_FALSE(quarantine.refuse("a", now));
  EXPECT_TRUE(lose("a"));
  EXPECT_TRUE(lose("a")) << "it is already";
  ASSERT_TRUE(quarantine.refuse("a", now));
  EXPECT_EQ(quarantine.refuse("a", now)->refused, 2U);
  EXPECT_EQ(quarantine.list(now).size(), 1U);
  EXPECT_EQ(quarantine.list(now)[0].losses, 4U);
}

TEST_F(QuarantineTest, TwoOfItInOneBrowserAreOneLoss) {
  EXPECT_FALSE(lose("a"));
  EXPECT_FALSE(lose_again("a"));
  EXPECT_FALSE(lose_again("a"));
  EXPECT_FALSE(quarantine.is_on_trial("a"));
  EXPECT_FALSE(lose("a"));
  EXPECT_TRUE(lose("a"));
}

TEST_F(QuarantineTest, AnAnswerClearsWhoWasOnlyThereByChance) {
  lose("a");
  lose("a");
  quarantine.answered("a");
  EXPECT_FALSE(lose("a"));
  EXPECT_FALSE(quarantine.refuse("a", now));
}

TEST_F(QuarantineTest, ItExpires) {
  for (int loss = 0; loss < 3; ++loss) {
    lose("a");
  }
  now += 60s - 1ns;
  EXPECT_TRUE(quarantine.refuse("a", now));
  now += 1ns;
  EXPECT_TRUE(quarantine.list(now).empty());
  EXPECT_FALSE(quarantine.refuse("a", now));
  EXPECT_FALSE(quarantine.may_know("m", 1, 4));
}

TEST_F(QuarantineTest, IsBoundedAndForgetsWhoWasSeenLongestAgo) {
  for (const char* fingerprint : {"a", "b", "c"}) {
    lose(fingerprint);
    now += 1s;
  }
  lose("a");
  lose("a");
  EXPECT_FALSE(quarantine.refuse("a", now)) << "its first loss was forgotten";
}

TEST_F(QuarantineTest, AnOperatorTakesThemOff) {
  for (int loss = 0; loss < 3; ++loss) {
    lose("a");
    lose("b");
  }
  EXPECT_TRUE(quarantine.clear("a"));
  EXPECT_FALSE(quarantine.clear("a"));
  EXPECT_FALSE(quarantine.refuse("a", now));
  EXPECT_EQ(quarantine.clear_all(), 1U);
  EXPECT_TRUE(quarantine.list(now).empty());
}

}  // namespace
}  // namespace shoal::schedule
