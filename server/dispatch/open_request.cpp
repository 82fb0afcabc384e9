#include "server/dispatch/open_request.hpp"

#include <utility>

#include "server/models/model.hpp"

namespace shoal::dispatch {

InferenceResponse respond(const OpenRequest& open, pool::RunOutcome outcome, const schedule::LoadReport* load,
                          TimePoint now) {
  InferenceResponse response;
  response.outputs = std::move(outcome.outputs);
  response.has_no_response = outcome.has_no_response;
  response.finish_reason = std::move(outcome.finish_reason);
  response.cached_tokens = outcome.cached_tokens;
  response.mean_rows = outcome.mean_rows;
  if (open.way->is_padded) {
    crop_outputs(*open.request.model, *open.inputs, response.outputs);
  }
  const pool::WorkerState& worker = open.worker->state();
  response.backend = backend_name(open.way->candidate.backend);
  if (load != nullptr) {
    response.nodes = load->nodes;
    if (load->is_mixed) {
      response.backend = "mixed";
    }
  }
  response.worker = worker.slot;
  response.adapter = open.way->candidate.backend == Backend::kWebgpu ? worker.adapter : "cpu";
  response.tier = tier_name(worker.tier);
  const std::optional<models::PlanConfig>& plan = open.request.model->plan;
  response.variant = plan ? plan->variant : std::string(kDefaultVariant);
  response.bits = plan ? plan->bits : 0;
  response.fallback_from = open.fallback_from;
  response.attempts = open.attempt;
  const std::uint64_t round_trip = microseconds_between(open.sent, now);
  const std::uint64_t inside = outcome.compute_us + outcome.agent_queue_us + outcome.held_us;
  response.timing = {.queue_us = microseconds_between(open.request.received, open.sent),
                     .input_us = outcome.agent_queue_us,
                     .compute_us = outcome.compute_us,
                     .output_us = round_trip > inside ? round_trip - inside : 0,
                     .total_us = microseconds_between(open.request.received, now),
                     .prefill_us = outcome.prefill_us,
                     .decode_us = outcome.decode_us};
  return response;
}

}  // namespace shoal::dispatch
