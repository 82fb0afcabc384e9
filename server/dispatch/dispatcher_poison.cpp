// The dispatcher's requests that take browsers down with them: found out by their losses, then refused.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/dispatch/dispatcher.hpp"
#include "server/metrics/families.hpp"

namespace shoal::dispatch {

std::optional<Error> Dispatcher::suspicion(const InferenceRequest& request, OpenRequest& open, schedule::Job& job) {
  const models::ModelVersion& model = *request.model;
  if (!poison_.may_know(model.name, model.version, job.bytes)) {
    return std::nullopt;
  }
  open.fingerprint = schedule::fingerprint_of(model.name, model.version, request.inputs, request.outputs);
  const TimePoint now = Clock::now();
  if (const auto suspect = poison_.refuse(open.fingerprint, now)) {
    metrics_.poison_refused(model.name);
    const auto left = std::chrono::ceil<std::chrono::seconds>(suspect->last_loss + poison_.limits().expiry - now);
    return Error{Code::kWorkerLost,
                 fmt::format("this request is quarantined for {} s more: {} workers were lost with it, last '{}': {}; "
                             "fingerprint {}",
                             left.count(), suspect->losses, suspect->last_slot, suspect->reason, open.fingerprint),
                 {}};
  }
  job.is_alone = poison_.is_on_trial(open.fingerprint);
  return std::nullopt;
}

void Dispatcher::lost_with(OpenRequest& open, const Error& error) {
  const std::uint64_t ticket = open.ticket;
  const models::ModelVersion& model = *open.request.model;
  bool is_quarantined = false;
  if (error.code == Code::kWorkerLost) {
    if (open.fingerprint.empty()) {
      open.fingerprint = schedule::fingerprint_of(model.name, model.version, *open.inputs, open.request.outputs);
    }
    is_quarantined = poison_.lost({.fingerprint = open.fingerprint,
                                   .model = model.name,
                                   .version = model.version,
                                   .bytes = total_bytes(*open.inputs),
                                   .last_loss = {},
                                   .reason = error.message,
                                   .last_slot = open.lost_on,
                                   .last_life = lives_[open.lost_on]},
                                  Clock::now());
  }
  Status status = scheduler_.retry(ticket, error.message, poison_.is_on_trial(open.fingerprint));
  if (status && is_quarantined) {
    // Others with the same fingerprint lost workers too.
    scheduler_.cancel(ticket);
    status = fail(Code::kWorkerLost,
                  fmt::format("a worker was lost with it again, last on '{}': {}", open.lost_on, error.message));
  }
  if (status) {
    tally_.requeued(open.key());
    return;
  }
  if (is_quarantined) {
    status.error().message += fmt::format("; the request is quarantined, fingerprint {}", open.fingerprint);
    log_.warn("request_quarantined", {{"request_id", open.request.request_id},
                                      {"model", model.name},
                                      {"fingerprint", open.fingerprint},
                                      {"reason", error.message}});
  }
  tally_.requeued(open.key());  // answer() takes it off: it has no worker
  answer(ticket, fail(std::move(status.error())));
}

std::size_t Dispatcher::clear_quarantine(const schedule::Fingerprint& fingerprint) {
  return fingerprint.empty() ? poison_.clear_all() : std::size_t{poison_.clear(fingerprint)};
}

}  // namespace shoal::dispatch
