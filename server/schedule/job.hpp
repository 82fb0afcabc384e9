// What the scheduler knows of a request: no tensors, no sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/backend.hpp"
#include "server/core/clock.hpp"
#include "server/core/tier.hpp"

namespace shoal::schedule {

using JobId = std::uint64_t;

// One way to run a job. `instance` names the loaded graph: model, version, backend and, where shapes are static, the
// shape.
struct Candidate {
  Backend backend = Backend::kWasm;
  std::string instance;
  std::uint64_t bytes = 0;  // of its weights
};

struct Job {
  JobId id = 0;
  std::vector<Candidate> candidates;  // in order of preference, at least one; exactly one when the client demanded it
  std::optional<std::string> worker;  // demanded slot
  Tier min_tier = Tier::kTrusted;     // slots of a lower one do not get it
  std::uint32_t priority = 2;         // 1 highest
  TimePoint deadline = kNoDeadline;
  std::uint64_t bytes = 0;
  bool is_alone = false;  // nothing else runs in its browser meanwhile: whoever takes that down is known then
};

// What the dispatcher must do. Produced by Scheduler::step, in order.
struct Action {
  enum class Kind : std::uint8_t {
    kLoad,     // load `instance` on `slot`
    kUnload,   // drop `instance` from `slot`
    kRun,      // send `job` to `slot`
    kFail,     // answer `job` with `error`; when slot is not empty the run there is to be cancelled
    kRecycle,  // restart the browser of `slot`; `error.message` is the reason
  };
  Kind kind = Kind::kRun;
  JobId job = 0;
  std::string slot;
  Candidate candidate;
  std::string fallback_from;  // kRun: backends preferred before this one, comma separated
  Error error;
};

struct SchedulerLimits {
  std::size_t max_queued = 1024;
  std::uint64_t max_queued_bytes = std::uint64_t{512} << 20;
  // Runs under way per (slot, backend): one computing and one already there, so that the engine never waits for the
  // wire.
  std::uint32_t max_in_flight = 2;
  std::uint32_t max_attempts = 3;  // a job that loses this many workers is answered kWorkerLost and not tried again
  // Graphs resident per (slot, backend); the least recently used idle one makes room for the next.
  std::size_t max_instances = 8;
  bool balances_load = true;  // else the first worker that will do, in the order of their names
  Duration load_timeout = std::chrono::seconds(120);
};

}  // namespace shoal::schedule
