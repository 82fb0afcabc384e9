// What the scheduler knows of the browsers, and where a job can go. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "server/schedule/cost.hpp"
#include "server/schedule/duty.hpp"
#include "server/schedule/job.hpp"

namespace shoal::schedule {

// What a loaded graph turned out to be in its browser.
struct LoadReport {
  std::map<std::string, std::uint32_t> nodes;  // graph nodes by where they really run
  bool is_mixed = false;                       // heavy operators run elsewhere than on the backend
  std::uint64_t memory_bytes = 0;              // what it takes, by the agent's accounting
};

struct InstanceState {
  enum class Kind : std::uint8_t { kLoading, kReady, kFailed };
  Kind kind = Kind::kLoading;
  TimePoint since;
  TimePoint last_used;
  std::uint32_t in_flight = 0;
  Error error =
      {};  // of kFailed: kept for the life of the connection, so that a bad graph is not built again and again
  LoadReport report = {};   // of kReady
  std::uint64_t bytes = 0;  // what it counts against the budget: its weights, once loaded the agent's word
  bool has_run = false;     // the first run compiles what the load did not, and is not measured
};

struct Engine {
  bool usable = false;  // probed and allowed; before the first hello: allowed
  std::string why_not;  // the browser's words
  std::uint32_t in_flight = 0;
  std::map<std::string, InstanceState> instances;
  TimePoint idle_since{};                  // when its last run ended
  std::map<std::string, Cost> costs = {};  // by instance; kept when a graph is unloaded or the browser replaced
};

// Whether a slot takes new work.
enum class Intake : std::uint8_t {
  kOpen,
  kHeld,     // not now: its browser is about to be replaced, and jobs may wait for the next one
  kDrained,  // not until an operator says so
};

struct Slot {
  bool is_up = false;
  std::map<Backend, Engine> engines;
  Intake intake = Intake::kOpen;
  bool is_trimmed = false;          // its budget was lowered: idle graphs beyond it go
  bool is_reserved = false;         // a job that runs alone is there or waits for it: nobody else is sent there
  std::uint64_t memory_budget = 0;  // for all graphs in it; 0 = no limit
  Tier tier = Tier::kTrusted;
  Duty duty = Duty::kServing;
};

using Slots = std::map<std::string, Slot>;

struct Placement {
  enum class Kind : std::uint8_t {
    kRun,         // now, on `slot`
    kLoad,        // load on `slot` first, after dropping `evicted` when it is not empty
    kWait,        // something that will change (a load, a busy engine, a browser on its way)
    kImpossible,  // no slot will do by itself: `error`
  };
  Kind kind = Kind::kWait;
  std::string slot;
  Candidate candidate;
  std::vector<Candidate> evicted;
  std::string fallback_from;
  Error error;
};

// Of work: rows, times the padded length where there is one. A run of a graph built for fixed shapes is one unit.
double units_of(const Job& job);

// What all graphs in it take, by their weights or by the agent's word.
std::uint64_t resident_bytes(const Slot& slot);
// What must go so that the slot keeps to its budget, oldest use first; what is busy stays.
std::vector<Candidate> surplus(const Slot& slot);
std::uint32_t in_flight_of(const Slot& slot);  // in all of its engines
// Whether the slot's budget has room for it beside what is there; whether it would have, were the slot empty.
bool fits_beside(const Slot& slot, const Candidate& candidate);
bool fits_alone(const Slot& slot, const Candidate& candidate);
Error too_big(const Candidate& candidate, std::uint64_t memory_budget);  // kResourceLimit

// Whether it may be given jobs now or with its next browser: no operator has drained it, and it is no spare.
bool takes_work(const Slot& slot);

// The first candidate with a usable slot wins and the job waits for it: a busy preferred backend is not a reason to
// compute elsewhere. A candidate is skipped only when no slot has or will have its backend, or when its graph failed
// everywhere, or all of its slots are drained; or, where limits.prefers_measured says so, when a later one is faster.
// Among slots that could run it now, the one where it is expected to end first: what is before it there, and itself, by
// the times of earlier runs; where there are none, by the number of runs that are before it.
Placement place(const Slots& slots, const Job& job, const SchedulerLimits& limits);

}  // namespace shoal::schedule
