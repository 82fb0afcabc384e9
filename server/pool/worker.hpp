// A connected browser (or the server's own echo, pool/echo_worker.hpp), as the dispatcher sees it: load an instance,
// run it, cancel. Owned by the pool; lives on the main lane. Each completion is called exactly once, on the main lane,
// never from inside the call that passed it: with kWorkerLost when the browser goes away first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/backend.hpp"
#include "server/core/clock.hpp"
#include "server/core/echo.hpp"
#include "server/core/generation.hpp"
#include "server/core/pooling.hpp"
#include "server/core/sequence_step.hpp"
#include "server/core/tensor.hpp"
#include "server/core/tier.hpp"
#include "server/schedule/duty.hpp"
#include "server/schedule/prior.hpp"

namespace shoal::pool {

// For which a run waits until its reader asks for the next response; then it ends with kResourceLimit.
inline constexpr Duration kMaxHold = std::chrono::seconds(10);

struct BlobRef {
  std::string path;  // external data: the name in the graph; empty for the graph itself
  std::string sha256;
  std::uint64_t byte_size = 0;
};

struct LoadSpec {
  std::string instance;  // key, named by later runs
  Backend backend = Backend::kWasm;
  BlobRef graph;
  std::vector<BlobRef> external;
  std::map<std::string, std::uint64_t> free_dimensions;  // symbolic dimension to value; webnn needs all of them
  std::optional<Echo> echo{};                            // of kEcho, which has no graph
  std::string engine{};                                  // "plan": `graph` is a plan; empty: an ONNX graph
  std::map<std::string, std::uint64_t> plan_limits{};    // of a plan, see Load.plan_limits of the protocol
};

struct LoadOutcome {
  std::map<std::string, std::uint32_t> nodes;  // graph nodes by where they really run
  std::vector<std::string> heavy_elsewhere;    // matmuls, convolutions, ... that did not get onto the backend
  std::uint64_t fetch_us = 0;
  std::uint64_t build_us = 0;
  bool from_cache = false;
  std::uint64_t memory_bytes = 0;
};

struct RunOutcome {
  std::vector<Tensor> outputs;
  std::uint64_t compute_us = 0;  // entry to exit of the engine's run
  std::uint64_t agent_queue_us = 0;
  std::uint64_t held_us = 0;     // it waited for the reader of its responses, which is in none of the other times
  bool has_no_response = false;  // a decoupled run that ends without one: there are no outputs
  // Of a run that generates.
  std::string finish_reason = {};   // "stop" or "length"
  std::uint64_t prefill_us = 0;     // the steps that read the prompt
  std::uint64_t decode_us = 0;      // the steps after them
  std::uint32_t cached_tokens = 0;  // of the prompt, that had been read for an earlier one
  double mean_rows = 0;  // answers that went on together, mean of the steps after the prompt; 0 = no such step
};

// One of several responses of a run, all but the last: that one is the completion's. The run goes on when `more` is
// called, which does nothing once it has ended; it holds its place until then, but not for long (kMaxHold). Never
// called after the completion or after cancel().
using Partial = std::function<void(RunOutcome, std::function<void()> more)>;

struct RunSpec {
  std::string instance;
  std::shared_ptr<const std::vector<Tensor>> inputs;  // shared: a lost run is dispatched again with the same bytes
  std::vector<std::string> outputs;                   // empty = all
  std::optional<Pooling> pooling;
  TimePoint deadline = kNoDeadline;
  Partial partial = {};                       // of a decoupled model's run; else empty, and there is one response
  std::optional<SequenceStep> sequence = {};  // of a stateful model: steps come one after the other
  // Of a plan that decodes: the input `tokens` INT32 [n] is the prompt; responses are `tokens` INT32 [k] as they are
  // made. A reader who is slow gets more of them at once: the run does not wait for it, but not for longer than
  // kMaxHold.
  std::optional<GenerateOptions> generate = {};
};

struct WorkerState {
  std::string slot;                        // "<kind>/<n>"
  std::vector<Backend> backends;           // usable here: probed and allowed
  std::map<Backend, std::string> why_not;  // allowed but not usable, in the browser's words
  std::string adapter;                     // of webgpu: "software" or "hardware"; empty without webgpu
  std::string browser;                     // user agent
  schedule::Traits traits = {};            // by which it is guessed what runs fast there
  std::uint64_t memory_bytes = 0;          // PSS of the browser's process tree, refreshed every few seconds
  Tier tier = Tier::kTrusted;
  bool is_device = false;           // it joined by URL: when it goes, its slot goes too
  std::uint64_t memory_budget = 0;  // of a device, for its graphs; a launched browser's is the slot's
};

class Worker {
 public:
  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  virtual ~Worker() = default;

  [[nodiscard]] virtual const WorkerState& state() const = 0;

  // Work ids are unique for the life of the worker and never 0.
  virtual std::uint64_t load(LoadSpec spec, std::function<void(Result<LoadOutcome>)> done) = 0;
  virtual std::uint64_t run(RunSpec spec, std::function<void(Result<RunOutcome>)> done) = 0;
  virtual void unload(const std::string& instance) = 0;
  // Its completion still comes, with kCancelled or with what was already on its way.
  virtual void cancel(std::uint64_t work_id) = 0;
  // Which tokens may come next in a run whose generation is masked; InferenceService::mask() has the meaning.
  virtual void mask(std::uint64_t /*work_id*/, std::uint32_t /*position*/, std::string /*allowed*/) {}
};

// What the pool tells the dispatcher. Main lane.
class WorkerListener {
 public:
  WorkerListener() = default;
  WorkerListener(const WorkerListener&) = delete;
  WorkerListener& operator=(const WorkerListener&) = delete;
  virtual ~WorkerListener() = default;
  // The agent has said hello and been accepted. The worker is valid until worker_lost for the same slot returns.
  virtual void worker_ready(Worker& worker) = 0;
  // Its browser is going to be replaced once it is idle: nothing more should be given to it. worker_lost follows.
  virtual void worker_worn(const std::string& slot) = 0;
  // Its browser is near what its processes may take (or no more): loads should rather go elsewhere.
  virtual void worker_pressed(const std::string& /*slot*/, bool /*is_pressed*/) {}
  // A device pauses: it is given nothing, and what it had has been answered with kDeviceLost after this.
  virtual void worker_paused(const std::string& /*slot*/) {}
  virtual void worker_resumed(const std::string& /*slot*/) {}
  // What a slot is for from now on; until the first call kServing.
  virtual void slot_assigned(const std::string& /*slot*/, schedule::Duty /*duty*/) {}
  // What another browser of the slot's group turned out to be able to do, before the slot has had one.
  virtual void slot_expected(const std::string& /*slot*/, const WorkerState& /*like*/) {}
  // All completions of the worker have been called before this.
  virtual void worker_lost(const std::string& slot, const std::string& reason) = 0;
};

}  // namespace shoal::pool
