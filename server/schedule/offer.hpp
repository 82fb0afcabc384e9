// What a slot offers for a graph. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "server/schedule/placement.hpp"

namespace shoal::schedule {

struct Offer {
  // The best first.
  enum class Rank : std::uint8_t {
    kReady,     // it has the graph and a place for a run
    kComing,    // it has or loads the graph, and has no place yet
    kLoadable,  // it can load it now
    kBusy,      // it could, later
    kFailed,
    kDrained,
    kNone,
  };
  Rank rank = Rank::kNone;
  std::uint32_t in_flight = 0;
  Error error = {};
  std::vector<Candidate> evicted = {};  // of kLoadable: what has to go first
  const Cost* cost = nullptr;           // of runs of the graph there, where there were any; the engine's own
  const Prefixes* prefixes = nullptr;   // of kReady: the instance's own
  Tier tier = Tier::kTrusted;           // of the slot
  // Of kReady and kComing: when what is before a run there is expected to be over. Nothing: nobody knows.
  std::optional<TimePoint> at = {};
  std::optional<Duration> load = {};  // of kLoadable: what it is expected to take
  bool is_loading = false;            // of kComing
  bool is_pressed = false;            // the slot is
  bool is_taken = false;              // of kReady: a run would wait behind another one
  bool needs_room = false;            // of kBusy: what has to go first is busy
  std::vector<Family> favours = {};   // the slot's
};
Offer offer_of(const Slot& slot, const Candidate& candidate, bool is_alone, const SchedulerLimits& limits);

// Of those that are not ready: the best ones first, of kComing the first to come, of kLoadable those that are
// not pressed, then where nothing has to go, then those with the least to do.
struct OfferOrder {
  Offer::Rank rank = Offer::Rank::kNone;
  std::uint32_t burden = 0;
  std::int64_t time = 0;
  auto operator<=>(const OfferOrder&) const = default;
};
OfferOrder order_of(const Offer& offer, const SchedulerLimits& limits);

}  // namespace shoal::schedule
