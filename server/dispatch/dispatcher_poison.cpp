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
  std::optional<Error> refusal = refusal_of(model.name, open.fingerprint);
  job.is_alone = !refusal && poison_.is_on_trial(open.fingerprint);
  return refusal;
}

std::optional<Error> Dispatcher::refusal_of(const std::string& model, const schedule::Fingerprint& fingerprint) {
  const TimePoint now = Clock::now();
  const auto suspect = poison_.refuse(fingerprint, now);
  if (!suspect) {
    return std::nullopt;
  }
  metrics_.poison_refused(model);
  const auto left = std::chrono::ceil<std::chrono::seconds>(suspect->last_loss + poison_.limits().expiry - now);
  return Error{Code::kWorkerLost,
               fmt::format("this request is quarantined for {} s more: {} workers were lost with it, last '{}': {}; "
                           "fingerprint {}",
                           left.count(), suspect->losses, suspect->last_slot, suspect->reason, fingerprint),
               {}};
}

void Dispatcher::refuse_copies(const OpenRequest& original) {
  const std::uint64_t bytes = total_bytes(*original.inputs);
  std::vector<std::uint64_t> copies;
  for (const auto& [ticket, open] : open_) {
    const bool may_be = ticket != original.ticket && open->worker == nullptr && open->key() == original.key() &&
                        total_bytes(*open->inputs) == bytes;
    if (may_be && schedule::fingerprint_of(original.request.model->name, original.request.model->version, *open->inputs,
                                           open->request.outputs) == original.fingerprint) {
      copies.push_back(ticket);
    }
  }
  for (const std::uint64_t ticket : copies) {
    if (auto refusal = refusal_of(original.request.model->name, original.fingerprint)) {
      scheduler_.cancel(ticket);
      answer(ticket, fail(*std::move(refusal)));
    }
  }
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
    Tally::requeued(*open.counts);
    return;
  }
  if (is_quarantined) {
    status.error().message += fmt::format("; the request is quarantined, fingerprint {}", open.fingerprint);
    log_.warn("request_quarantined", {{"request_id", open.request.request_id},
                                      {"model", model.name},
                                      {"fingerprint", open.fingerprint},
                                      {"reason", error.message}});
    refuse_copies(open);
  }
  Tally::requeued(*open.counts);  // answer() takes it off: it has no worker
  answer(ticket, fail(std::move(status.error())));
}

std::size_t Dispatcher::clear_quarantine(const schedule::Fingerprint& fingerprint) {
  return fingerprint.empty() ? poison_.clear_all() : std::size_t{poison_.clear(fingerprint)};
}

}  // namespace shoal::dispatch
