#include "server/pool/roster.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace shoal::pool {
namespace {

using schedule::Duty;
using Condition = Place::Condition;

Place place(Duty duty, Condition condition, bool is_busy = false, bool is_named = false) {
  return {.slot = "", .duty = duty, .condition = condition, .is_busy = is_busy, .is_named = is_named};
}

std::vector<Place> numbered(std::vector<Place> places) {
  for (std::size_t at = 0; at < places.size(); ++at) {
    places[at].slot = "kind/" + std::to_string(at);
  }
  return places;
}

// Carries out what is due until nothing is; the changes as "<place><duty>".
std::vector<std::string> settle(std::vector<Place>& places, std::uint32_t serving, std::uint32_t spares) {
  std::vector<std::string> changes;
  while (const auto change = reassign(places, serving, spares, "why")) {
    EXPECT_NE(places.at(change->place).duty, change->duty);
    EXPECT_FALSE(change->reason.empty());
    places.at(change->place).duty = change->duty;
    changes.push_back(std::to_string(change->place) + (change->duty == Duty::kServing ? " serves"
                                                       : change->duty == Duty::kSpare ? " spare"
                                                                                      : " sleeps"));
    if (changes.size() > 4 * places.size()) {
      ADD_FAILURE() << "it never ends";
      break;
    }
  }
  return changes;
}

using Changes = std::vector<std::string>;

TEST(Roster, ARightOneStaysAsItIs) {
  auto places = numbered({place(Duty::kServing, Condition::kReady, true), place(Duty::kServing, Condition::kComing),
                          place(Duty::kSpare, Condition::kComing), place(Duty::kDormant, Condition::kComing)});
  EXPECT_EQ(settle(places, 2, 1), Changes{});
}

TEST(Roster, ASpareTakesOverAndTheLostOneBecomesTheSpare) {
  auto places = numbered({place(Duty::kServing, Condition::kComing), place(Duty::kSpare, Condition::kReady)});
  const auto first = reassign(places, 1, 1, "");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->reason, "takes over from kind/0");
  EXPECT_EQ(settle(places, 1, 1), (Changes{"1 serves", "0 spare"}));
}

TEST(Roster, PressureTakesASpareFirstAndWakesAnotherSpare) {
  auto places = numbered({place(Duty::kServing, Condition::kReady, true), place(Duty::kSpare, Condition::kReady),
                          place(Duty::kDormant, Condition::kComing)});
  EXPECT_EQ(settle(places, 2, 1), (Changes{"1 serves", "2 spare"}));
}

TEST(Roster, FewerMeansTheLastIdleOne) {
  auto places = numbered({place(Duty::kServing, Condition::kReady), place(Duty::kServing, Condition::kReady),
                          place(Duty::kServing, Condition::kReady, true)});
  EXPECT_EQ(settle(places, 2, 0), Changes{"1 sleeps"});
  EXPECT_EQ(settle(places, 1, 0), Changes{"0 sleeps"});
  EXPECT_EQ(settle(places, 0, 0), Changes{}) << "what it has in hand is waited for";
}

TEST(Roster, OneThatHasNotFinishedGoingIsTakenBackFirst) {
  auto places = numbered({place(Duty::kServing, Condition::kReady, true), place(Duty::kDormant, Condition::kComing),
                          place(Duty::kDormant, Condition::kReady, true)});
  EXPECT_EQ(settle(places, 2, 0), Changes{"2 serves"});
}

TEST(Roster, WhoIsOutIsReplacedAndLeftAlone) {
  auto places = numbered({place(Duty::kServing, Condition::kOut), place(Duty::kDormant, Condition::kComing)});
  EXPECT_EQ(settle(places, 1, 0), Changes{"1 serves"});
  places[0].condition = Condition::kReady;
  places[1].condition = Condition::kReady;
  EXPECT_EQ(settle(places, 1, 0), Changes{"1 sleeps"});
}

TEST(Roster, ARequestWakesTheOneThatItNames) {
  auto places =
      numbered({place(Duty::kServing, Condition::kReady), place(Duty::kDormant, Condition::kComing, false, true)});
  EXPECT_EQ(settle(places, 1, 0), Changes{"1 serves"}) << "the other one stays until this one is there";
  places[1].condition = Condition::kReady;
  EXPECT_EQ(settle(places, 1, 0), Changes{"0 sleeps"});
}

TEST(Roster, AnyRosterSettlesWithTheNumbersThatItCanHave) {
  std::mt19937 random(20261121);
  const auto pick = [&random](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  for (int trace = 0; trace < 20000; ++trace) {
    std::vector<Place> places;
    for (std::uint32_t at = 0; at <= pick(7); ++at) {
      const auto condition = static_cast<Condition>(pick(3));
      places.push_back(
          place(static_cast<Duty>(pick(3)), condition, condition == Condition::kReady && pick(2) == 0, pick(20) == 0));
    }
    places = numbered(std::move(places));
    const std::vector<Place> before = places;
    const std::uint32_t serving = pick(4);
    const std::uint32_t spares = pick(3);
    settle(places, serving, spares);
    const auto count = [&places](Duty duty) {
      return std::ranges::count_if(
          places, [duty](const Place& one) { return one.duty == duty && one.condition != Condition::kOut; });
    };
    const auto in = std::ranges::count_if(places, [](const Place& one) { return one.condition != Condition::kOut; });
    EXPECT_GE(count(Duty::kServing), std::min<std::ptrdiff_t>(serving, in));
    for (std::size_t at = 0; at < places.size(); ++at) {
      const bool changed = places[at].duty != before[at].duty;
      EXPECT_FALSE(changed && before[at].condition == Condition::kOut);
      EXPECT_FALSE(changed && before[at].duty == Duty::kServing && before[at].is_busy) << "it has work in hand";
    }
  }
}

}  // namespace
}  // namespace shoal::pool
