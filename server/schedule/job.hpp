// What the scheduler knows of a request: no tensors, no sockets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/backend.hpp"
#include "server/core/clock.hpp"
#include "server/core/family.hpp"
#include "server/core/tier.hpp"

namespace shoal::schedule {

using JobId = std::uint64_t;

// One way to run a job. `instance` names the loaded graph: model, version, backend and, where shapes are static, the
// shape.
struct Candidate {
  Backend backend = Backend::kWasm;
  std::string instance;
  std::uint64_t bytes = 0;  // of its weights
  std::uint32_t rows = 0;   // that the graph is built for; 0 = any number
  // The same graph built for more rows, ascending; null or empty where `rows` is 0.
  std::shared_ptr<const std::vector<Candidate>> larger = nullptr;
  std::uint32_t at_once = 1;      // runs of it that an engine does at the same time
  std::uint32_t max_workers = 0;  // that have it; 0 = any number
  std::uint32_t together =
      0;                  // runs of it that an engine does in steps which they share, and no more; 0 = it queues them
  bool is_prior = false;  // a guess at what is fast: only where the engine is worth it (schedule/prior.hpp)
};

// How jobs of one model are joined along their batch dimension.
struct BatchPolicy {
  std::uint32_t max_rows = 1;
  std::vector<std::uint32_t> preferred = {};  // rows, ascending: the largest that can be had is sent
  Duration max_delay{};                       // for how long a job may be kept back for others to join it
  // Also while nobody knows how long that takes: else the first runs go alone, and their times decide.
  bool joins_unmeasured = false;
};

struct Job {
  JobId id = 0;
  std::vector<Candidate> candidates;  // in order of preference, at least one; exactly one when the client demanded it
  bool is_guess = false;              // their order is nobody's wish: evidence goes before it
  std::optional<Family> family = {};  // of a guess, where it is known
  std::optional<std::string> worker;  // demanded slot
  Tier min_tier = Tier::kTrusted;     // slots of a lower one do not get it
  std::uint32_t priority = 2;         // 1 highest
  TimePoint deadline = kNoDeadline;
  std::uint64_t bytes = 0;
  std::string queue = {};                  // the model's: max_queued counts what waits there at this priority
  std::uint32_t max_queued = 0;            // 0 = the limits of all queues alone
  std::uint64_t max_queued_bytes = 0;      // of the queue at all priorities; 0 = likewise
  TimePoint queue_deadline = kNoDeadline;  // to be sent by; then it is refused, or waits behind those that are in time
  bool delays = false;                     // the latter
  bool is_alone = false;  // nothing else runs in its browser meanwhile: whoever takes that down is known then
  // Jobs that have the same one may be sent as one run; empty: it is never joined with another.
  std::string batch_key = {};
  std::shared_ptr<const BatchPolicy> batching = nullptr;  // set where batch_key is
  std::uint32_t rows = 1;                                 // along the batch dimension
  std::uint32_t length = 0;  // of what is padded to the longest member; 0 = nothing is padded
  // Of a prompt: prefix_blocks(), and how much less work it is for each block that its worker has read before.
  std::vector<std::uint64_t> prefix = {};
  double prefix_units = 0;
};

// What the dispatcher must do. Produced by Scheduler::step, in order.
struct Action {
  enum class Kind : std::uint8_t {
    kLoad,     // load `instance` on `slot`
    kUnload,   // drop `instance` from `slot`
    kRun,      // send `members` to `slot` as one run of `candidate`
    kFail,     // answer `job` with `error`; when slot is not empty the run there is to be cancelled
    kRecycle,  // restart the browser of `slot`; `error.message` is the reason
  };
  Kind kind = Kind::kRun;
  JobId job = 0;  // of kRun: the first member
  std::string slot;
  Candidate candidate;
  std::string fallback_from;  // kRun: backends preferred before this one, comma separated
  Error error;
  std::vector<JobId> members = {};  // kRun: in the order of their rows
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
  // A job that waited so long is served as if its priority were one higher, and so on; after its last step it goes
  // before whatever comes new. 0 = never.
  Duration ageing = std::chrono::seconds(10);
  // A backend that the model prefers less is taken where runs are measured to be faster there, and it is loaded and
  // free; else the order of preference alone decides between backends.
  bool prefers_measured = false;
  bool balances_load = true;  // else the first worker that will do, in the order of their names
  Duration load_timeout = std::chrono::seconds(120);
  bool joins = true;  // jobs into runs; else each is sent by itself
  // A job that by what is known would end after its deadline is refused when it comes.
  bool refuses_late = true;
  // What joining may make of a run's expected time; 0 = no limit. A job that takes longer by itself runs by itself.
  // A run is sent behind another one only where both together keep to it: so long may an urgent job find things before
  // it.
  Duration max_batch_time = std::chrono::milliseconds(250);
};

}  // namespace shoal::schedule
