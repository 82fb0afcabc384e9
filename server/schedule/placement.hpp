// What the scheduler knows of the browsers, and where a job can go. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/schedule/cost.hpp"
#include "server/schedule/duty.hpp"
#include "server/schedule/job.hpp"
#include "server/schedule/load_times.hpp"
#include "server/schedule/prefixes.hpp"

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
  std::uint32_t together = 0;  // of its runs share their steps, as Candidate has it
  Error error =
      {};  // of kFailed: kept for the life of the connection, so that a bad graph is not built again and again
  LoadReport report = {};   // of kReady
  std::uint64_t bytes = 0;  // what it counts against the budget: its weights, once loaded the agent's word
  bool has_run = false;     // the first run compiles what the load did not, and is not measured
  bool is_kept = false;     // nothing makes it go but its model
  Prefixes prefixes = {};   // of prompts that it was sent
};

struct Engine {
  bool usable = false;  // probed and allowed; before the first hello: allowed
  std::string why_not;  // the browser's words
  std::uint32_t in_flight = 0;
  std::map<std::string, InstanceState> instances;
  TimePoint idle_since{};                  // when its last run ended
  std::map<std::string, Cost> costs = {};  // by instance; kept when a graph is unloaded or the browser replaced
  LoadTimes loads = {};                    // kept likewise
  Duration ahead{};                        // of the runs under way, as expected when they were sent
  TimePoint free_at{};    // when they are expected to have ended; those whose times are not known count nothing
  bool is_worth = false;  // expected to be faster than wasm there, before anything was measured
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
  bool is_pressed = false;          // its processes take nearly what they may: loads rather go elsewhere
  bool is_reserved = false;         // for a job that runs alone, or that waits for room: nobody else is sent there
  std::uint64_t memory_budget = 0;  // for all graphs in it; 0 = no limit
  Tier tier = Tier::kTrusted;
  Duty duty = Duty::kServing;
  // Until then no graph that jobs wait for has to go from it for another one: loading is not to be all that it does.
  TimePoint settled_until{};
  std::vector<Family> favours =
      {};  // families that are expected to run faster there than elsewhere (schedule/prior.hpp)
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
  bool needs_room = false;              // kWait: for a graph there that is busy, or has just come
  std::optional<TimePoint> again = {};  // kWait: when it may be decided otherwise although nothing happens
};

// What a placement goes by beside the job and the slots.
struct Moment {
  TimePoint now{};
  std::size_t waiting = 1;  // jobs that can go to the same places, this one included: loads are made for all of them
};

// Of work: rows, times the padded length where there is one. A run of a graph built for fixed shapes is one unit.
double units_of(const Job& job);

// Whether it may be given jobs now or with its next browser: no operator has drained it, and it is no spare.
bool takes_work(const Slot& slot);

std::uint32_t in_flight_of(const Slot& slot);  // in all of its engines

// Whether one more run of the candidate may be sent to the engine. Runs that share their steps count as one together.
// Requires: it has the candidate's graph.
bool has_place_for(const Engine& engine, const Candidate& candidate, std::uint32_t max_in_flight);

// The first candidate with a usable slot wins and the job waits for it: a busy preferred backend is not a reason to
// compute elsewhere. A candidate is skipped only when no slot has or will have its backend, or when its graph failed
// everywhere, or all of its slots are drained; or, where limits.prefers_measured says so, when a later one is faster.
// Where the order of the candidates is only a guess, a later one that is measured to be faster, or is there while the
// first one has yet to be loaded, goes before it as well.
// Among slots that could run it now, the one where it is expected to end first: what is before it there, and itself, by
// the times of earlier runs; where there are none, by the number of runs that are before it. Where none could, the jobs
// wait, or the graph is loaded on another slot: whatever makes the last of them end first.
Placement place(const Slots& slots, const Job& job, const SchedulerLimits& limits, const Moment& moment = {});

}  // namespace shoal::schedule
