#include "server/api/openai/report.hpp"

namespace shoal::api::openai {

nlohmann::ordered_json report_of(const dispatch::InferenceResponse& response) {
  nlohmann::ordered_json document = {{"backend", response.backend},
                                     {"worker", response.worker},
                                     {"adapter", response.adapter},
                                     {"tier", response.tier},
                                     {"nodes", response.nodes},
                                     {"variant", response.variant},
                                     {"bits", response.bits},
                                     {"fallback_from", response.fallback_from},
                                     {"timing",
                                      {{"queue_us", response.timing.queue_us},
                                       {"compute_us", response.timing.compute_us},
                                       {"total_us", response.timing.total_us}}}};
  if (response.bits == 0) {
    document["bits"] = nullptr;
  }
  if (response.fallback_from.empty()) {
    document["fallback_from"] = nullptr;
  }
  if (response.shifts > 0) {
    document["context_shifts"] = response.shifts;
  }
  if (response.piece) {
    document["timing"]["prefill_us"] = response.timing.prefill_us;
    document["timing"]["decode_us"] = response.timing.decode_us;
  }
  return document;
}

}  // namespace shoal::api::openai
