// The dispatcher's runs: one request or several joined, from the scheduler's word to each one's answer.
#include <algorithm>
#include <numeric>
#include <utility>

#include "server/dispatch/dispatcher.hpp"
#include "server/dispatch/joining.hpp"
#include "server/metrics/families.hpp"

namespace shoal::dispatch {
namespace {

// Errors of a browser, not of the request: another browser, or this one after a restart, may do it. After a lost device
// the agent has restarted the engine already; an engine that it gave up (kBackendUnavailable) takes a new browser.
bool is_worth_retrying(Code code) {
  return code == Code::kWorkerLost || code == Code::kDeviceLost || code == Code::kBackendUnavailable;
}

}  // namespace

void Dispatcher::note_start(OpenRequest& open, const schedule::Action& action, TimePoint now) {
  Tally::left_queue(*open.counts);
  open.way = &way_to(open.ways, action.candidate.instance);
  open.worker = workers_.at(action.slot);
  const Demand& demand = open.request.demand;
  open.fallback_from =
      demand.preference.empty() ? action.fallback_from : preferred_before(demand, action.candidate.backend);
  open.sent = now;
  ++open.attempt;
  if (!open.lost_on.empty()) {
    metrics_.request_redispatched(open.request.model->name);
    log_.info("request_redispatched", {{"request_id", open.request.request_id},
                                       {"worker", action.slot},
                                       {"from", std::exchange(open.lost_on, {})},
                                       {"ms", microseconds_between(open.lost_at, open.sent) / 1000}});
  }
}

void Dispatcher::start_run(const schedule::Action& action) {
  const TimePoint now = Clock::now();
  const std::uint64_t id = next_run_++;
  OpenRun run{.worker = workers_.at(action.slot), .tickets = action.members, .waiting = action.members.size()};
  OpenRequest& first = *open_.at(action.job);
  pool::RunSpec spec{.instance = action.candidate.instance,
                     .inputs = first.inputs,
                     .outputs = first.request.outputs,
                     .pooling = first.request.pooling,
                     .deadline = first.request.deadline,
                     .sequence = first.request.sequence,
                     .generate = first.request.generate};
  std::vector<Member> members;
  for (const std::uint64_t ticket : action.members) {
    OpenRequest& open = *open_.at(ticket);
    note_start(open, action, now);
    open.run = id;
    spec.deadline = std::max(spec.deadline, open.request.deadline);
    run.member_rows.push_back(static_cast<std::int64_t>(open.batch_size));
    members.push_back({open.inputs.get(), run.member_rows.back()});
  }
  Tally::executed(*first.counts);
  const models::ModelVersion& model = *first.request.model;
  if (members.size() > 1) {
    spec.inputs = std::make_shared<const std::vector<Tensor>>(join_inputs(model, members));
  }
  if (first.way->is_padded || (members.size() > 1 && !first.way->built.empty())) {
    spec.inputs = std::make_shared<const std::vector<Tensor>>(padded_inputs(model, *spec.inputs, *first.way));
  }
  if (members.size() > 1) {
    run.rows = spec.inputs->front().shape.front();
  }
  if (first.request.partial) {
    spec.partial = [alive = alive_, id](pool::RunOutcome outcome, std::function<void()> more) {
      if (*alive != nullptr) {
        (*alive)->run_gave(id, std::move(outcome), std::move(more));
      }
    };
  }
  run.work_id = run.worker->run(std::move(spec), [alive = alive_, id](Result<pool::RunOutcome> outcome) {
    if (*alive != nullptr) {
      (*alive)->run_ended(id, std::move(outcome));
    }
  });
  if (!first.first_mask.empty()) {
    run.worker->mask(run.work_id, 0, first.first_mask);
  }
  runs_.emplace(id, std::move(run));
}

void Dispatcher::note_generation(const OpenRequest& open, const Result<InferenceResponse>& result) {
  if (open.continuation->tokens() == 0) {
    return;
  }
  const models::ModelVersion& model = *open.request.model;
  metrics_.tokens_made(model.name, static_cast<std::uint64_t>(open.inputs->front().shape.front()),
                       open.continuation->tokens());
  if (result) {
    const TimePoint now = Clock::now();
    metrics_.text_generated({model.name, backend_name(open.way->candidate.backend)},
                            {.tokens = open.continuation->tokens(),
                             .cached_tokens = result->cached_tokens,
                             .first_us = microseconds_between(open.request.received, *open.first_token_at),
                             .rest_us = microseconds_between(*open.first_token_at, now),
                             .mean_rows = result->mean_rows});
  }
}

void Dispatcher::mask(std::uint64_t ticket, std::uint32_t position, std::string allowed) {
  const auto found = open_.find(ticket);
  if (found == open_.end()) {
    return;
  }
  OpenRequest& open = *found->second;
  if (const auto run = runs_.find(open.run); run != runs_.end()) {
    run->second.worker->mask(run->second.work_id, position, allowed);
  }
  if (position == 0) {
    open.first_mask = std::move(allowed);
  }
}

void Dispatcher::leave_run(OpenRequest& open) {
  const auto found = runs_.find(open.run);
  if (found != runs_.end() && --found->second.waiting == 0) {
    found->second.worker->cancel(found->second.work_id);
    runs_.erase(found);
  }
}

std::vector<pool::RunOutcome> Dispatcher::parts_of(const OpenRun& run, pool::RunOutcome outcome) {
  std::vector<pool::RunOutcome> parts;
  if (run.tickets.size() == 1) {
    parts.push_back(std::move(outcome));
    return parts;
  }
  // Who was answered meanwhile has taken its inputs along; its rows are passed over.
  std::vector<Member> members;
  const std::vector<Tensor> nothing;
  const models::ModelVersion* model = nullptr;
  for (std::size_t index = 0; index < run.tickets.size(); ++index) {
    const auto open = open_.find(run.tickets[index]);
    members.push_back({open == open_.end() ? &nothing : open->second->inputs.get(), run.member_rows[index]});
    model = open == open_.end() ? model : open->second->request.model.get();
  }
  auto split = split_outputs(*model, members, outcome.outputs, run.rows);
  if (!split) {
    log_.warn("joined_run_not_split", {{"model", model->name}, {"reason", split.error().message}});
    return parts;
  }
  for (std::vector<Tensor>& outputs : *split) {
    parts.push_back(
        {.outputs = std::move(outputs), .compute_us = outcome.compute_us, .agent_queue_us = outcome.agent_queue_us});
  }
  return parts;
}

void Dispatcher::run_gave(std::uint64_t id, pool::RunOutcome outcome, std::function<void()> more) {
  const auto found = runs_.find(id);
  if (found == runs_.end()) {
    return;
  }
  OpenRequest& open = *open_.at(found->second.tickets.front());
  if (open.continuation) {
    const Status taken = open.continuation->take(outcome.outputs);
    if (!taken) {
      scheduler_.finished(open.ticket);
      answer(open.ticket, fail(taken.error()));
      return step();
    }
    if (outcome.outputs.empty()) {
      return more();
    }
    open.first_token_at = open.first_token_at.value_or(Clock::now());
  }
  open.has_responded = true;
  InferenceResponse response = respond(open, std::move(outcome), report_of(open), Clock::now());
  // The receiver may cancel the request.
  const Partial partial = open.request.partial;
  partial(std::move(response), std::move(more));
}

void Dispatcher::finish(std::uint64_t ticket) {
  const auto found = open_.find(ticket);
  if (found == open_.end() || !found->second->has_responded || found->second->worker == nullptr) {
    return;
  }
  OpenRequest& open = *found->second;
  const std::uint64_t compute_us = microseconds_between(open.sent, Clock::now());
  leave_run(open);
  Tally::ran(*open.counts, open.batch_size, {.compute_us = compute_us});
  metrics_.run_finished(open.request.model->name, backend_name(open.way->candidate.backend), open.batch_size);
  member_ended(open, {.outputs = {}, .compute_us = compute_us, .finish_reason = "stop"});
  step();
}

void Dispatcher::run_ended(std::uint64_t id, Result<pool::RunOutcome> outcome) {
  const auto found = runs_.find(id);
  if (found == runs_.end()) {
    return;  // all of its members were answered already: cancelled or past their deadlines
  }
  const OpenRun run = std::move(found->second);
  runs_.erase(found);
  const auto is_waiting = [&](std::uint64_t ticket) {
    const auto open = open_.find(ticket);
    return open != open_.end() && open->second->run == id;
  };
  const OpenRequest& any = *open_.at(*std::ranges::find_if(run.tickets, is_waiting));
  if (outcome) {
    const auto rows =
        static_cast<std::uint64_t>(std::accumulate(run.member_rows.begin(), run.member_rows.end(), std::int64_t{0}));
    const std::uint64_t inside = outcome->compute_us + outcome->agent_queue_us + outcome->held_us;
    const std::uint64_t round_trip = microseconds_between(any.sent, Clock::now());
    const Timing timing{.input_us = outcome->agent_queue_us,
                        .compute_us = outcome->compute_us,
                        .output_us = round_trip > inside ? round_trip - inside : 0};
    Tally::ran(*any.counts, rows, timing);
    metrics_.run_finished(any.request.model->name, backend_name(any.way->candidate.backend), rows);
    std::vector<pool::RunOutcome> parts = parts_of(run, *std::move(outcome));
    if (parts.empty()) {
      send_singly(run, is_waiting);
    }
    for (std::size_t index = 0; index < parts.size(); ++index) {
      if (is_waiting(run.tickets[index])) {
        member_ended(*open_.at(run.tickets[index]), std::move(parts[index]));
      }
    }
    step();
    return;
  }
  const Error& error = outcome.error();
  const std::string slot = run.worker->state().slot;
  const bool is_lost = is_worth_retrying(error.code);
  if (is_lost && error.code != Code::kDeviceLost) {
    // The pool's word comes after this one; until then nothing more may be sent there.
    scheduler_.slot_down(slot);
  }
  if (!is_lost && run.tickets.size() > 1) {
    log_.warn("joined_run_failed", {{"model", any.request.model->name},
                                    {"worker", slot},
                                    {"requests", run.tickets.size()},
                                    {"code", code_name(error.code)},
                                    {"error", error.message}});
    send_singly(run, is_waiting);
    step();
    return;
  }
  for (const std::uint64_t ticket : run.tickets) {
    if (!is_waiting(ticket)) {
      continue;
    }
    OpenRequest& open = *open_.at(ticket);
    if (is_lost && open.is_repeatable()) {
      if (open.continuation) {
        open.continuation->restart();
      }
      open.worker = nullptr;
      open.run = 0;
      open.lost_on = slot;
      open.lost_at = Clock::now();
      lost_with(open, error);
    } else {
      scheduler_.finished(ticket);
      answer(ticket, fail(error));
    }
  }
  if (error.code == Code::kBackendUnavailable && recycle_) {
    recycle_(slot, error.message);
  }
  step();
}

void Dispatcher::send_singly(const OpenRun& run, const std::function<bool(std::uint64_t)>& is_waiting) {
  for (const std::uint64_t ticket : run.tickets) {
    if (is_waiting(ticket)) {
      OpenRequest& open = *open_.at(ticket);
      open.worker = nullptr;
      open.run = 0;
      --open.attempt;
      scheduler_.run_singly(ticket);
      Tally::requeued(*open.counts);
    }
  }
}

void Dispatcher::member_ended(OpenRequest& open, pool::RunOutcome part) {
  const std::uint64_t ticket = open.ticket;
  const TimePoint now = Clock::now();
  poison_.answered(open.fingerprint);
  // A client that read slowly teaches nothing of how long such runs take.
  const bool is_measured = part.held_us == 0;
  if (open.continuation) {
    Status whole = open.continuation->take(part.outputs);
    if (whole) {
      whole = open.continuation->finish();
    }
    if (!whole) {
      scheduler_.finished(ticket);
      return answer(ticket, fail(whole.error()));
    }
    open.first_token_at = open.first_token_at.value_or(now);
  }
  InferenceResponse response = respond(open, std::move(part), report_of(open), now);
  scheduler_.finished(ticket, is_measured ? std::optional(now) : std::nullopt);
  if (open.in_doubt) {
    end_check(open, std::move(response));
  } else if (!begin_check(open, response)) {
    answer(ticket, std::move(response));
  }
}

}  // namespace shoal::dispatch
