// What a slot offers for a graph, and which of several would end a job there first. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/schedule/placement.hpp"

namespace shoal::schedule {

struct Offer {
  // The best first.
  enum class Rank : std::uint8_t { kReady, kLoadable, kBusy, kFailed, kDrained, kNone };
  Rank rank = Rank::kNone;
  std::uint32_t in_flight = 0;
  Error error;
  std::vector<Candidate> evicted;  // of kLoadable: what has to go first
  const Cost* cost = nullptr;      // of kReady: of runs of the graph there, where there were any; the engine's own
  Tier tier = Tier::kTrusted;      // of the slot
};
Offer offer_of(const Slot& slot, const Candidate& candidate, bool is_alone, const SchedulerLimits& limits);

// Of one candidate on all slots: where it would end first.
struct Choice {
  Offer offer;
  std::string slot;
  std::optional<double> seconds;  // until it ends there, where that is measured

  [[nodiscard]] bool is_ready() const { return offer.rank == Offer::Rank::kReady; }
};

// How much of the candidate's work the job is.
double units_for(const Job& job, const Candidate& candidate);

// Of `ready`, by slot, those of at least the tier: nothing when there is none. A worker that nobody has measured is
// expected to be like the others. The first by name where two are alike.
std::optional<Choice> first_to_end(const std::map<std::string, Offer>& ready, double units, Tier min_tier);

// By what place() decides between slots: of a candidate, the choice among all of them.
using Chooser = std::function<std::optional<Choice>(const Candidate&)>;
Placement place(const Slots& slots, const Job& job, const SchedulerLimits& limits, const Chooser& chosen);

// Looks at every slot that the job may go to; nothing when there is none.
std::optional<Choice> choose(const Slots& slots, const Job& job, const Candidate& candidate,
                             const SchedulerLimits& limits);

}  // namespace shoal::schedule
