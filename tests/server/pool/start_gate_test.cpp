#include "server/pool/start_gate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::pool {
namespace {

using namespace std::chrono_literals;

class StartGateTest : public ::testing::Test {
 protected:
  StartGateTest() {
    for (const char* slot : {"a", "b", "c", "d"}) {
      gate.add(slot, {.browser = "/usr/bin/x", .adapter = "software"});
    }
    gate.add("other", {.browser = "/usr/bin/y", .adapter = "software"});
  }
  // Everybody who may, in the order of the names.
  std::vector<std::string> begin() {
    std::vector<std::string> begun;
    for (const char* slot : {"a", "b", "c", "d", "other"}) {
      if (gate.may_begin(slot, now)) {
        gate.begin(slot, now);
        begun.emplace_back(slot);
      }
    }
    return begun;
  }
  void open_breaker() {
    for (int failure = 0; failure < 2; ++failure) {
      gate.failed("a", "exits at once", now);
    }
  }

  TimePoint now = TimePoint(1000s);
  int freed = 0;
  std::vector<std::string> changes;
  StartGate gate{2,
                 {.failures = 2, .window = 60s, .first_pause = 5s, .longest_pause = 60s},
                 {.changed =
                      [this](const BreakerView& view, BreakerState from) {
                        changes.push_back(std::string(breaker_state_name(from)) + " " +
                                          std::string(breaker_state_name(view.state)));
                      },
                  .freed = [this] { ++freed; }}};
};

TEST_F(StartGateTest, NeverMoreThanThePlacesAndInTheOrderOfAsking) {
  for (const char* slot : {"c", "a", "d", "b"}) {
    gate.ask(slot, false);
  }
  EXPECT_THAT(begin(), testing::ElementsAre("a", "c"));
  EXPECT_EQ(gate.starting(), 2U);
  EXPECT_THAT(begin(), testing::IsEmpty());
  gate.ended("a");
  EXPECT_EQ(freed, 1);
  gate.ended("a");
  EXPECT_EQ(freed, 1);
  EXPECT_THAT(begin(), testing::ElementsAre("d"));
}

TEST_F(StartGateTest, WhoWasLostComesBeforeWhoWasNeverThere) {
  gate.ask("a", false);
  gate.ask("b", false);
  gate.ask("c", true);
  gate.ask("d", true);
  EXPECT_THAT(begin(), testing::ElementsAre("c", "d"));
}

TEST_F(StartGateTest, AnOpenBreakerHoldsItsOwnSlotsAndTakesNobodysPlace) {
  open_breaker();
  for (const char* slot : {"a", "b", "c", "other"}) {
    gate.ask(slot, true);
  }
  EXPECT_THAT(begin(), testing::ElementsAre("other"));
  EXPECT_THAT(gate.obstacle("b", now), testing::HasSubstr("the breaker of /usr/bin/x is open for 5.0 s more: exits"));
  EXPECT_EQ(gate.obstacle("other", now), "");
  const BreakerView view = gate.breakers(now).at(0);
  EXPECT_EQ(view.state, BreakerState::kOpen);
  EXPECT_EQ(view.waiting, 3U);
  EXPECT_EQ(view.retry_in, 5s);
  EXPECT_THAT(changes, testing::ElementsAre("closed open"));
}

TEST_F(StartGateTest, AfterThePauseOneTriesAndTheOthersWaitForItsLife) {
  open_breaker();
  for (const char* slot : {"b", "c", "a"}) {
    gate.ask(slot, true);
  }
  now += 5s;
  EXPECT_THAT(begin(), testing::ElementsAre("b"));
  gate.ended("b");
  EXPECT_THAT(begin(), testing::IsEmpty());
  EXPECT_THAT(gate.obstacle("c", now), testing::HasSubstr("lets one browser try first"));
  gate.lived("b", now);
  EXPECT_THAT(begin(), testing::ElementsAre("a", "c"));
  EXPECT_THAT(changes, testing::ElementsAre("closed open", "half_open closed"));
}

TEST_F(StartGateTest, AProbeThatGoesLeavesTheTryToTheNext) {
  open_breaker();
  gate.ask("b", true);
  gate.ask("c", true);
  now += 5s;
  EXPECT_THAT(begin(), testing::ElementsAre("b"));
  gate.remove("b");
  EXPECT_THAT(begin(), testing::ElementsAre("c"));
}

}  // namespace
}  // namespace shoal::pool
