// Which of several slots would end a job first: now, once its runs are over, or after a load. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "server/schedule/offer.hpp"

namespace shoal::schedule {

// Of one candidate on all slots.
struct Choice {
  Offer offer = {};
  std::string slot = {};
  std::optional<double> seconds = {};   // until it ends there, where that is measured
  std::optional<double> run = {};       // what of them is its own run
  std::optional<TimePoint> again = {};  // of kComing: when the choice may be another one

  [[nodiscard]] bool is_ready() const { return offer.rank == Offer::Rank::kReady; }
};

// How much of the candidate's work the job is.
double units_for(const Job& job, const Candidate& candidate);

// Slots with the graph, in use or on its way, by the tier of the slot.
using GraphCounts = std::array<std::size_t, 2>;
inline void count_graph(GraphCounts& counts, const Offer& offer, std::ptrdiff_t change) {
  if (offer.rank <= Offer::Rank::kComing) {
    counts.at(static_cast<std::size_t>(offer.tier)) += static_cast<std::size_t>(change);
  }
}

// Of the ready ones that where the job ends first, as far as an urgent one that comes next would not find more before
// it than limits.max_batch_time. A worker that nobody has measured is expected to be like the others; the first by name
// where two are alike. `later`, where all are too busy for that: the first that will not be.
struct Ends {
  std::optional<Choice> now;
  std::optional<Choice> later;
};
Ends first_to_end(const std::map<std::string, Offer>& ready, const Job& job, double units,
                  const SchedulerLimits& limits, TimePoint now);

// Where no slot is ready: the best of each rank, of slots that the job may go to.
struct Field {
  std::optional<Choice> coming = {};
  std::optional<Choice> loadable = {};
  std::optional<Choice> other = {};
  GraphCounts graphs = {};
};
// One that comes, or a load, whatever makes the last of the moment's waiting jobs end first; where no times are known
// there are to be as many graphs as jobs. Nothing when there is no slot.
std::optional<Choice> settle(Field field, std::optional<Choice> later, const Job& job, const Candidate& candidate,
                             const SchedulerLimits& limits, const Moment& moment);

// Looks at every slot that the job may go to; nothing when there is none.
std::optional<Choice> choose(const Slots& slots, const Job& job, const Candidate& candidate,
                             const SchedulerLimits& limits, const Moment& moment);

// By what place() decides between slots: of a candidate, the choice among all of them.
using Chooser = std::function<std::optional<Choice>(const Candidate&)>;
Placement place(const Slots& slots, const Job& job, const SchedulerLimits& limits, const Chooser& chosen);

}  // namespace shoal::schedule
