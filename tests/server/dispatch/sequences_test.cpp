#include "server/dispatch/sequences.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace shoal::dispatch {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Ticket = Sequences::Ticket;

constexpr bool kFirst = true;
constexpr bool kLast = true;

class SequencesTest : public testing::Test {
 protected:
  Result<std::optional<Sequences::Turn>> add(Ticket ticket, bool is_first, bool is_last, const std::string& id = "7",
                                             const std::string& model = "m") {
    return sequences.add({model, 1}, {.id = id, .is_first = is_first, .is_last = is_last}, ticket, config, now);
  }
  // The worker of the turn; "waits", or the code's name.
  std::string told(Ticket ticket, bool is_first, bool is_last, const std::string& id = "7") {
    const auto turn = add(ticket, is_first, is_last, id);
    if (!turn) {
      return std::string(code_name(turn.error().code));
    }
    return *turn ? "runs " + (**turn).worker : "waits";
  }
  static std::vector<Ticket> tickets(const Sequences::After& after) {
    std::vector<Ticket> found;
    for (const auto& turn : after.turns) {
      found.push_back(turn.ticket);
    }
    return found;
  }

  models::SequenceConfig config{.idle = seconds(2), .max_live = 3};
  TimePoint now = TimePoint() + seconds(1000);
  Sequences sequences;
};

TEST_F(SequencesTest, StepsRunOneAfterTheOtherWhereTheFirstOneRan) {
  EXPECT_EQ(told(1, kFirst, !kLast), "runs ");
  EXPECT_EQ(told(2, !kFirst, !kLast), "waits");
  EXPECT_EQ(told(3, !kFirst, kLast), "waits");
  auto after = sequences.ended(1, "echo/1", now);
  EXPECT_THAT(after.turns, ElementsAre(Sequences::Turn{.ticket = 2, .worker = "echo/1", .number = 1}));
  after = sequences.ended(2, "echo/1", now);
  EXPECT_THAT(after.turns, ElementsAre(Sequences::Turn{.ticket = 3, .worker = "echo/1", .number = 1}));
  EXPECT_EQ(sequences.live(), 1);
  EXPECT_THAT(sequences.ended(3, "echo/1", now).turns, IsEmpty());
  EXPECT_EQ(sequences.live(), 0);
}

TEST_F(SequencesTest, AnIdIsAnotherSequenceInAnotherModel) {
  EXPECT_EQ(told(1, kFirst, !kLast), "runs ");
  EXPECT_EQ(told(2, kFirst, !kLast, "8"), "runs ");
  EXPECT_TRUE(add(3, kFirst, !kLast, "7", "n").value().has_value());
  EXPECT_EQ(sequences.live(), 3);
}

TEST_F(SequencesTest, WithoutAFirstStepThereIsNone) {
  EXPECT_EQ(told(1, !kFirst, kLast), "INVALID_ARGUMENT");
  EXPECT_EQ(told(2, kFirst, kLast), "runs ");
  EXPECT_EQ(told(3, !kFirst, !kLast), "INVALID_ARGUMENT") << "the last one has come";
  EXPECT_EQ(told(4, kFirst, !kLast), "waits") << "another sequence with the same id";
  EXPECT_THAT(sequences.ended(2, "echo/0", now).turns,
              ElementsAre(Sequences::Turn{.ticket = 4, .worker = "", .number = 2}));
}

TEST_F(SequencesTest, AnIdleOneIsOver) {
  EXPECT_EQ(told(1, kFirst, !kLast), "runs ");
  now += seconds(10);
  EXPECT_EQ(told(2, !kFirst, !kLast), "waits") << "a step that runs is not idle";
  sequences.ended(1, "echo/0", now);
  sequences.ended(2, "echo/0", now);
  now += seconds(1);
  EXPECT_EQ(told(3, !kFirst, !kLast), "runs echo/0");
  sequences.ended(3, "echo/0", now);
  now += seconds(2);
  EXPECT_EQ(told(4, !kFirst, !kLast), "INVALID_ARGUMENT");
  EXPECT_EQ(sequences.live(), 0);
}

TEST_F(SequencesTest, LimitsAreKept) {
  for (Ticket ticket = 1; ticket <= 3; ++ticket) {
    EXPECT_EQ(told(ticket, kFirst, !kLast, std::to_string(ticket)), "runs ");
  }
  EXPECT_EQ(told(4, kFirst, !kLast, "4"), "OVERLOADED");
  EXPECT_TRUE(add(5, kFirst, !kLast, "1", "n").has_value()) << "of each model by itself";
  for (Ticket ticket = 0; ticket < Sequences::kMaxWaiting; ++ticket) {
    EXPECT_EQ(told(10 + ticket, !kFirst, !kLast, "1"), "waits");
  }
  EXPECT_EQ(told(1000, !kFirst, !kLast, "1"), "OVERLOADED");
}

TEST_F(SequencesTest, AFirstStepThatFailsTakesItsSequenceAlong) {
  EXPECT_EQ(told(1, kFirst, !kLast), "runs ");
  EXPECT_EQ(told(2, !kFirst, !kLast), "waits");
  EXPECT_EQ(told(3, kFirst, !kLast), "waits");
  const auto after = sequences.ended(1, "", now);
  EXPECT_THAT(after.orphans, ElementsAre(2));
  EXPECT_THAT(tickets(after), ElementsAre(3));
  EXPECT_THAT(sequences.ended(3, "", now).turns, IsEmpty());
  EXPECT_EQ(sequences.live(), 0);
}

TEST_F(SequencesTest, ALaterOneThatFailsDoesNot) {
  told(1, kFirst, !kLast);
  sequences.ended(1, "echo/0", now);
  told(2, !kFirst, !kLast);
  EXPECT_THAT(sequences.ended(2, "", now).orphans, IsEmpty());
  EXPECT_EQ(told(3, !kFirst, !kLast), "runs echo/0");
}

TEST_F(SequencesTest, WhoWaitsCanLeave) {
  told(1, kFirst, kLast);
  told(2, kFirst, !kLast);
  told(3, !kFirst, !kLast);
  told(4, kFirst, !kLast);
  EXPECT_FALSE(sequences.remove(1)) << "it runs";
  EXPECT_FALSE(sequences.remove(99));
  EXPECT_THAT(sequences.remove(2)->orphans, ElementsAre(3)) << "their first step has gone";
  EXPECT_THAT(tickets(sequences.ended(1, "echo/0", now)), ElementsAre(4));
}

TEST_F(SequencesTest, WhenTheLastOneLeavesTheSequenceGoesOn) {
  told(1, kFirst, !kLast);
  told(2, !kFirst, kLast);
  EXPECT_TRUE(sequences.remove(2));
  EXPECT_EQ(told(3, !kFirst, !kLast), "waits");
}

TEST_F(SequencesTest, WithItsWorkerASequenceIsLost) {
  told(1, kFirst, !kLast);
  sequences.ended(1, "echo/0", now);
  told(2, !kFirst, !kLast);
  told(3, !kFirst, !kLast);
  told(4, kFirst, !kLast);
  told(5, kFirst, !kLast, "8");  // runs, nobody knows yet where
  told(6, kFirst, !kLast, "9");
  sequences.ended(6, "echo/1", now);
  const auto after = sequences.lost("echo/0", now);
  EXPECT_THAT(after.orphans, ElementsAre(2, 3));
  EXPECT_THAT(tickets(after), ElementsAre(4)) << "it begins anew";
  EXPECT_THAT(sequences.ended(2, "echo/0", now).turns, IsEmpty()) << "its answer comes late";
  EXPECT_EQ(sequences.live(), 3);
  EXPECT_THAT(sequences.lost("echo/1", now).orphans, IsEmpty()) << "idle";
  EXPECT_EQ(sequences.live(), 2);
}

// Whatever happens, every step that was taken in is told of exactly once, and no two of a sequence run at a time.
TEST_F(SequencesTest, RandomLives) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](unsigned limit) { return random() % limit; };
    Sequences book;
    std::map<Ticket, std::string> open, running;
    std::set<Ticket> told_once;
    const auto out = [&](Ticket ticket) { ASSERT_TRUE(told_once.insert(ticket).second) << seed; };
    const auto apply = [&](const Sequences::After& after) {
      for (const Ticket ticket : after.orphans) {
        running.erase(ticket);
        open.erase(ticket);
        out(ticket);
      }
      for (const auto& turn : after.turns) {
        for (const auto& [other, id] : running) {
          ASSERT_NE(id, open.at(turn.ticket)) << seed;
        }
        running[turn.ticket] = open.at(turn.ticket);
      }
    };
    Ticket next = 1;
    for (int move = 0; move < 400; ++move) {
      now += std::chrono::milliseconds(below(300));
      if (below(2) == 0) {
        const std::string id = std::to_string(below(5));
        const Ticket ticket = next++;
        const auto turn =
            book.add({"m", 1}, {.id = id, .is_first = below(3) == 0, .is_last = below(4) == 0}, ticket, config, now);
        if (turn) {
          open[ticket] = id;
          if (*turn) {
            apply({.turns = {**turn}, .orphans = {}});
          }
        }
      } else if (below(8) == 0) {
        apply(book.lost(std::to_string(below(2)), now));
      } else if (below(4) == 0 && !open.empty()) {
        auto at = open.begin();
        std::advance(at, below(static_cast<unsigned>(open.size())));
        const Ticket ticket = at->first;
        const auto after = book.remove(ticket);
        ASSERT_EQ(after.has_value(), !running.contains(ticket)) << seed;
        if (after) {
          open.erase(ticket);
          out(ticket);
          apply(*after);
        }
      } else if (!running.empty()) {
        auto at = running.begin();
        std::advance(at, below(static_cast<unsigned>(running.size())));
        const Ticket ticket = at->first;
        running.erase(ticket);
        open.erase(ticket);
        out(ticket);
        apply(book.ended(ticket, below(3) == 0 ? "" : std::to_string(below(2)), now));
      }
    }
    while (!running.empty()) {
      const Ticket ticket = running.begin()->first;
      running.erase(ticket);
      open.erase(ticket);
      out(ticket);
      apply(book.ended(ticket, "0", now));
    }
    ASSERT_THAT(open, IsEmpty()) << seed;
  }
}

}  // namespace
}  // namespace shoal::dispatch
