// What a graph that has just been loaded computes before it is given requests: its model's warm samples, as requests
// with them would be sent to it. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/dispatch/candidates.hpp"
#include "server/pool/worker.hpp"

namespace shoal::dispatch {

struct WarmRun {
  std::string sample;
  std::shared_ptr<const std::vector<Tensor>> inputs;
  std::uint32_t times = 1;
  bool is_decoupled = false;
};

// Of a graph with fixed shapes those that requests of the same shapes would be padded to it for; else all.
std::vector<WarmRun> warm_runs_of(const Way& way);

// From the load to the last warm run.
struct OpenLoad {
  std::string slot;
  schedule::Candidate candidate;
  TimePoint began;
  std::vector<WarmRun> runs;
  std::size_t run = 0;      // of `runs`
  std::uint32_t times = 0;  // that it has run
  TimePoint loaded = {};
  pool::LoadOutcome outcome = {};
};

}  // namespace shoal::dispatch
