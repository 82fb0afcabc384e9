// The seam between the protocols and the pool: one inference request in, one response or typed error out.
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
#include "server/core/family.hpp"
#include "server/core/generation.hpp"
#include "server/core/pooling.hpp"
#include "server/core/sequence_step.hpp"
#include "server/core/tensor.hpp"
#include "server/core/tier.hpp"
#include "server/dispatch/context_shift.hpp"
#include "server/dispatch/text_request.hpp"

namespace shoal::models {
struct ModelVersion;
}

namespace shoal::dispatch {

// What the client insists on; refused with a typed error when it cannot be met, never replaced silently.
struct Demand {
  std::optional<Backend> backend;                    // shoal_backend with one name
  std::optional<std::string> worker;                 // shoal_worker: "<kind>/<n>"
  std::optional<std::uint32_t> bits;                 // shoal_bits
  std::optional<std::string> variant;                // shoal_variant
  std::optional<Tier> trust;                         // shoal_trust: the least tier of workers that may see it
  std::optional<std::uint32_t> max_batch_size = {};  // shoal_max_batch_size: rows of the run that it is part of
  // shoal_backend with several, the best first: no demand but a wish; fallback_from of the response names those that
  // were passed over. Empty: the model's own order.
  std::vector<Backend> preference = {};
  // shoal_family: by which family the order of backends is guessed, where nobody says one; empty: by the model's.
  std::optional<Family> family = {};
};

struct Timing {
  std::uint64_t queue_us = 0;    // accepted to sent to the worker (of the attempt that succeeded)
  std::uint64_t input_us = 0;    // sending, and waiting in the agent
  std::uint64_t compute_us = 0;  // entry to exit of the engine's run
  std::uint64_t output_us = 0;   // answer's way back
  std::uint64_t total_us = 0;    // accepted to answered, here
  std::uint64_t prefill_us = 0;  // of generation: the steps that read the prompt
  std::uint64_t decode_us = 0;   // of generation: the steps after them
};

struct InferenceResponse {
  std::vector<Tensor> outputs;
  // "wasm" "webgpu" "webnn": where every matmul, convolution, attention and norm really ran; "mixed" when they were
  // split.
  std::string backend;
  std::string worker;         // slot
  std::string adapter;        // "hardware" "software" "cpu"
  std::string tier;           // of the worker: "trusted" "untrusted"
  std::string variant;        // name of the model's variant
  std::uint32_t bits = 0;     // of its weights; 0 = as the graph has them
  std::string fallback_from;  // backends preferred before this one that were not there; empty = none
  std::uint32_t attempts = 1;
  std::map<std::string, std::uint32_t> nodes;  // graph nodes by where they really run
  Timing timing;
  bool has_no_response = false;         // a decoupled model's run ended without one: all else says how it ended
  std::string finish_reason = {};       // of generation, in the last response: "stop" or "length"
  std::uint32_t cached_tokens = 0;      // of the prompt, that had been read for an earlier one
  double mean_rows = 0;                 // answers that went on together, mean of the steps after the prompt; 0 = none
  std::uint32_t shifts = 0;             // times that the text outgrew the context and went on
  std::optional<TextPiece> piece = {};  // of a request with `text`: what this response adds
};

// One of a decoupled model's responses, in their order, all but the last: that one is the completion's. The next one
// comes after `more` was called, on the main lane: at once, or when the client has read this one. A reader that takes
// too long (pool::kMaxHold) ends the request. Never called from inside submit, nor after cancel or the completion.
using Partial = std::function<void(InferenceResponse, std::function<void()> more)>;

struct InferenceRequest {
  std::string request_id;  // uuid_v7(), made by the protocol that accepted the request
  std::shared_ptr<const models::ModelVersion> model;
  std::vector<Tensor> inputs;        // validated against the model by the caller
  std::vector<std::string> outputs;  // empty = all
  std::optional<Pooling> pooling;    // then the one output is "embedding" FP32 [batch, width]
  Demand demand;
  std::optional<SequenceStep> sequence = {};  // of a stateful model
  std::uint32_t priority = 0;                 // 0 = the model's default, 1 highest
  TimePoint received;
  TimePoint deadline = kNoDeadline;              // kNoDeadline: the server's default timeout applies
  Partial partial = {};                          // of a decoupled model, which is refused without
  std::optional<GenerateOptions> generate = {};  // of a model that generates: `inputs` is one, tokens INT32 [n]
  // Of one with `generate` that has responded and loses its worker: another one makes the same tokens again and goes on
  // from there, or it ends with kWorkerLost where they are others.
  bool resumes = false;
  std::optional<ContextShift> shift =
      {};  // of one with `text`: what becomes of a text that outgrows the context; else it ends
  std::optional<TextRequest> text = {};  // for TextService, which makes `generate` and `inputs` of it
};

using Completion = std::function<void(Result<InferenceResponse>)>;

// Main lane only.
class InferenceService {
 public:
  InferenceService() = default;
  InferenceService(const InferenceService&) = delete;
  InferenceService& operator=(const InferenceService&) = delete;
  virtual ~InferenceService() = default;

  // Takes the request. `done` is called exactly once, on the main lane, never from inside submit. Returns a ticket (>
  // 0).
  virtual std::uint64_t submit(InferenceRequest request, Completion done) = 0;
  // The client has gone or cancelled: frees the queue slot or the worker; `done` is called with kCancelled.
  virtual void cancel(std::uint64_t ticket) = 0;
  // The client has what it wanted of a request with `generate` that has responded: it ends now, as one that ended by
  // itself with "stop".
  virtual void finish(std::uint64_t ticket) { cancel(ticket); }
  // Which tokens may come behind the first `position` ones of a request whose `generate` is masked: bit i % 8 of byte i
  // / 8 is token i. Each one once, in their order.
  virtual void mask(std::uint64_t /*ticket*/, std::uint32_t /*position*/, std::string /*allowed*/) {}
  // Whether the model's default backend is ready; kUnavailable with the reason when not.
  [[nodiscard]] virtual Status model_ready(const models::ModelVersion& model) const = 0;
  // Of one that is not ready: it will not become so by itself, since operators keep away what would run it.
  [[nodiscard]] virtual bool is_withheld(const models::ModelVersion& /*model*/) const { return false; }
  // Whether every model's default backend is ready and the server is not draining.
  [[nodiscard]] virtual Status server_ready() const = 0;
};

}  // namespace shoal::dispatch
