// Which slots of one group serve, which are spares and which are dormant. Pure: the slots as they are go in, the
// changes that are due come out; asked again until none is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "server/schedule/duty.hpp"

namespace shoal::pool {

struct Place {
  std::string slot;
  schedule::Duty duty = schedule::Duty::kServing;
  enum class Condition : std::uint8_t {
    kReady,   // its browser is connected
    kComing,  // it has none now; of one that is not dormant: one is on its way
    kOut,     // drained by an operator, or in quarantine: counts for nothing and is left alone
  };
  Condition condition = Condition::kComing;
  bool is_busy = false;   // with work in hand
  bool is_named = false;  // a request waits for this slot and no other
};

struct Reassignment {
  std::size_t place = 0;
  schedule::Duty duty = schedule::Duty::kServing;
  std::string reason;  // in words
};

// The first change that is due so that `serving` slots serve and `spares` are spares, as far as there are any; none
// when the roster is right. `why`: of the number of serving ones, in words, when it has changed.
// A spare takes over from one that was lost, and that one is the spare when it is back. Nobody with work in hand goes.
std::optional<Reassignment> reassign(std::span<const Place> places, std::uint32_t serving, std::uint32_t spares,
                                     const std::string& why);

}  // namespace shoal::pool
