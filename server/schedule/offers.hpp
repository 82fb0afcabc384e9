// What every slot offers for each graph, kept from one placement to the next: in a pool of a thousand browsers only
// those that have changed since are looked at again. Decides exactly as place() does. Pure; owned by the scheduler.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "server/schedule/choice.hpp"

namespace shoal::schedule {

class Offers {
 public:
  // Something of the slot is about to change, or has changed, that place() reads.
  void changed(const std::string& slot);
  // place(), by what is kept.
  Placement place(const Slots& slots, const Job& job, const SchedulerLimits& limits, const Moment& moment = {});
  // Whether a slot could run the job's first candidate now: then place() finds that it is possible. Says no of jobs
  // that run alone or demand a slot.
  bool has_ready(const Slots& slots, const Job& job, const SchedulerLimits& limits);

 private:
  struct Table {
    std::uint64_t seen = 0;   // changes
    std::uint64_t bytes = 0;  // of the candidate
    std::map<std::string, Offer> ready;
    std::map<std::string, Offer> others;
    std::set<std::pair<OfferOrder, std::string>> order;  // of the others, the best first
    GraphCounts graphs = {};
  };

  Table& table_of(const Slots& slots, const Candidate& candidate, const SchedulerLimits& limits);
  static void look(const Slots& slots, const std::string& name, const Candidate& candidate,
                   const SchedulerLimits& limits, Table& table);
  std::optional<Choice> choose(const Slots& slots, const Job& job, const Candidate& candidate,
                               const SchedulerLimits& limits, const Moment& moment);

  std::map<std::tuple<Backend, bool, std::string>, Table> tables_;  // by backend, is_prior and instance
  std::deque<std::string> changes_;                                 // the last ones
  std::uint64_t forgotten_ = 0;                                     // changes before those
};

}  // namespace shoal::schedule
