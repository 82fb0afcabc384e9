// The dispatcher's spot checks: a result of an untrusted worker that was drawn is computed again on a trusted one
// before it is answered. When the two differ, the trusted one is the answer and the other worker is put in quarantine.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "server/dispatch/dispatcher.hpp"
#include "server/metrics/families.hpp"

namespace shoal::dispatch {

// On the way that was taken where a trusted worker has it, else on any that the model offers.
bool Dispatcher::begin_check(OpenRequest& open, InferenceResponse& response) {
  // Another worker does not know what came before in a sequence, and responses that were given cannot be taken back.
  if (open.request.sequence || open.request.partial || open.worker->state().tier == Tier::kTrusted ||
      !spot_check_.draws(response.worker)) {
    return false;
  }
  const auto all = ways_of(*open.request.model, *open.inputs, {});
  for (const Way& way : all ? *all : std::vector<Way>()) {
    if (std::ranges::find(open.ways, way.candidate.instance,
                          [](const Way& known) { return known.candidate.instance; }) == open.ways.end()) {
      open.ways.push_back(way);
    }
  }
  if (const Status status = scheduler_.enqueue(job_of(open.ticket, open.request, open.ways), Clock::now()); !status) {
    metrics_.spot_checked("skipped");
    log_.warn("spot_check_skipped", {{"worker", response.worker}, {"what", status.error().message}});
    return false;
  }
  open.in_doubt = std::move(response);
  open.worker = nullptr;
  open.run = 0;
  Tally::requeued(*open.counts);
  return true;
}

void Dispatcher::end_check(OpenRequest& open, InferenceResponse ours) {
  InferenceResponse theirs = *std::exchange(open.in_doubt, std::nullopt);
  const auto wrong = difference(ours.outputs, theirs.outputs);
  metrics_.spot_checked(wrong ? "mismatch" : "match");
  if (!wrong) {
    theirs.timing.total_us = ours.timing.total_us;
    answer(open.ticket, std::move(theirs));
    return;
  }
  const std::string reason = "a wrong result for model '" + open.request.model->name + "': " + *wrong;
  log_.error("spot_check_failed",
             {{"worker", theirs.worker}, {"request_id", open.request.request_id}, {"what", reason}});
  answer(open.ticket, std::move(ours));
  // Not from inside step(): the pool answers by worker_lost.
  boost::asio::post(main_, [alive = alive_, worker = theirs.worker, reason] {
    if (*alive != nullptr && (*alive)->quarantine_) {
      (*alive)->quarantine_(worker, reason);
    }
  });
}

}  // namespace shoal::dispatch
