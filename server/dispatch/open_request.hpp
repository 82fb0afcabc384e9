// A request between submit() and its answer, as the dispatcher keeps it. Main lane.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/dispatch/candidates.hpp"
#include "server/dispatch/continuation.hpp"
#include "server/dispatch/inference.hpp"
#include "server/dispatch/tally.hpp"
#include "server/pool/worker.hpp"
#include "server/schedule/placement.hpp"
#include "server/schedule/quarantine.hpp"

namespace shoal::dispatch {

struct OpenRequest {
  std::uint64_t ticket = 0;
  InferenceRequest request;
  std::shared_ptr<const std::vector<Tensor>> inputs;  // as the client sent them
  std::vector<Way> ways;
  Completion done;
  ModelStatistics* counts = nullptr;  // the model's
  std::uint64_t batch_size = 1;
  std::uint32_t attempt = 0;
  // The attempt that is running.
  const Way* way = nullptr;
  pool::Worker* worker = nullptr;
  std::uint64_t run = 0;
  std::string fallback_from;
  TimePoint sent;
  // The browser that was lost with it, until another one has it.
  std::string lost_on;
  schedule::Fingerprint fingerprint;  // once it was needed
  TimePoint lost_at;
  bool has_responded = false;  // the client has a response
  // Of one with `generate`.
  std::optional<Continuation> continuation;
  std::optional<TimePoint> first_token_at;  // at any worker
  std::string first_mask;                   // of a masked answer; each attempt begins with it
  // An untrusted worker's answer, while a trusted one computes it again.
  std::optional<InferenceResponse> in_doubt;

  // Whether it may be tried again on another worker.
  [[nodiscard]] bool is_repeatable() const { return !has_responded || (request.resumes && continuation); }
  [[nodiscard]] Tally::Key key() const { return {request.model->name, request.model->version}; }
};

// What was sent to a worker at once: one request, or several joined.
struct OpenRun {
  pool::Worker* worker = nullptr;
  std::uint64_t work_id = 0;
  std::vector<std::uint64_t> tickets;  // in the order of their rows; who was answered meanwhile stays listed
  std::size_t waiting = 0;             // tickets that were not
  std::vector<std::int64_t> member_rows = {};
  std::int64_t rows = 0;  // of the tensors that were sent
};

// The client's answer from a worker's: padding cut off, where it ran, how long each part took. `load` says how the
// graph was placed when it was loaded there; nullptr when that is not known.
InferenceResponse respond(const OpenRequest& open, pool::RunOutcome outcome, const schedule::LoadReport* load,
                          TimePoint now);

}  // namespace shoal::dispatch
