#include "server/dispatch/sequence_gate.hpp"

#include <fmt/format.h>

#include <boost/asio/post.hpp>

#include "server/models/model.hpp"

namespace shoal::dispatch {
namespace {

// Tickets of the gate's own; those of requests that pass it are the dispatcher's, which counts from 1.
constexpr std::uint64_t kFirstTicket = std::uint64_t{1} << 63U;

Error not_begun() { return {Code::kUnavailable, "the first request of the sequence failed: begin it again", {}}; }

}  // namespace

SequenceGate::SequenceGate(boost::asio::any_io_executor main, InferenceService& behind, SequenceGateOptions options)
    : main_(std::move(main)),
      behind_(behind),
      options_(options),
      next_ticket_(kFirstTicket),
      timer_(main_),
      alive_(std::make_shared<SequenceGate*>(this)) {}

SequenceGate::~SequenceGate() { *alive_ = nullptr; }

std::uint64_t SequenceGate::submit(InferenceRequest request, Completion done) {
  const auto& config = request.model->scheduling.sequences;
  if (!config && closed_.empty()) {
    return behind_.submit(std::move(request), std::move(done));
  }
  const std::uint64_t ticket = next_ticket_++;
  const TimePoint now = Clock::now();
  const Sequences::Model model{request.model->name, request.model->version};
  if (request.deadline == kNoDeadline) {
    request.deadline = now + options_.default_timeout;
  }
  const std::optional<SequenceStep> place = request.sequence;
  Step& step = steps_[ticket];
  step.deadline = request.deadline;
  step.bytes = total_bytes(request.inputs);
  step.done = std::move(done);
  if (!closed_.empty()) {
    answer(ticket, {Code::kUnavailable, closed_, {}});
    return ticket;
  }
  if (!place || place->id.empty()) {
    answer(ticket, {Code::kInvalidArgument,
                    fmt::format("inference request to model '{}' must specify a non-zero or non-empty correlation ID",
                                request.model->name),
                    "sequence_id"});
    return ticket;
  }
  if (waiting_.size() >= options_.max_waiting || waiting_bytes_ + step.bytes > options_.max_waiting_bytes) {
    answer(ticket, {Code::kOverloaded,
                    fmt::format("{} requests of sequences wait for their turn with {} bytes; the limits are {} and {}",
                                waiting_.size(), waiting_bytes_, options_.max_waiting, options_.max_waiting_bytes),
                    {}});
    return ticket;
  }
  step.request = std::move(request);
  auto turn = sequences_.add(model, *place, ticket, *config, now);
  if (!turn) {
    answer(ticket, std::move(turn.error()));
  } else if (*turn) {
    run(**turn);
  } else {
    waiting_.emplace(step.deadline, ticket);
    waiting_bytes_ += step.bytes;
    arm_timer();
  }
  return ticket;
}

void SequenceGate::leave_waiting(std::uint64_t ticket, const Step& step) {
  if (waiting_.erase({step.deadline, ticket}) > 0) {
    waiting_bytes_ -= step.bytes;
  }
}

void SequenceGate::run(const Sequences::Turn& turn) {
  Step& step = steps_.at(turn.ticket);
  leave_waiting(turn.ticket, step);
  const std::optional<std::string>& wanted = step.request.demand.worker;
  if (!turn.worker.empty() && wanted && *wanted != turn.worker) {
    const Error error{Code::kInvalidArgument,
                      fmt::format("the sequence is on worker '{}', not on '{:.100}'", turn.worker, *wanted),
                      "shoal_worker"};
    const Sequences::After after = sequences_.ended(turn.ticket, {}, Clock::now());
    answer(turn.ticket, error);
    apply(after, not_begun());
    return;
  }
  InferenceRequest request = std::move(step.request);
  request.sequence->number = turn.number;
  if (!turn.worker.empty()) {
    request.demand.worker = turn.worker;
  }
  step.inner =
      behind_.submit(std::move(request), [alive = alive_, ticket = turn.ticket](Result<InferenceResponse> result) {
        if (*alive != nullptr) {
          (*alive)->ended(ticket, std::move(result));
        }
      });
}

void SequenceGate::ended(std::uint64_t ticket, Result<InferenceResponse> result) {
  auto step = steps_.extract(ticket);
  if (step.mapped().is_lost) {
    result = fail(Code::kWorkerLost, "the worker of the sequence was lost, and its state with it: begin it again");
  }
  const Sequences::After after = sequences_.ended(ticket, result ? result->worker : std::string(), Clock::now());
  // First: whoever is answered may cancel others, and must find them where they are.
  apply(after, not_begun());
  step.mapped().done(std::move(result));
  note_idle();
}

void SequenceGate::apply(const Sequences::After& after, const Error& error) {
  for (const std::uint64_t ticket : after.orphans) {
    Step& step = steps_.at(ticket);
    if (step.inner != 0) {
      step.is_lost = true;
      behind_.cancel(step.inner);
    } else {
      answer(ticket, error);
    }
  }
  for (const Sequences::Turn& turn : after.turns) {
    run(turn);
  }
}

void SequenceGate::answer(std::uint64_t ticket, Error error) {
  auto step = steps_.extract(ticket);
  leave_waiting(ticket, step.mapped());
  boost::asio::post(main_, [done = std::move(step.mapped().done), error = std::move(error)]() mutable {
    done(fail(std::move(error)));
  });
  note_idle();
}

Status SequenceGate::model_ready(const models::ModelVersion& model) const {
  return closed_.empty() ? behind_.model_ready(model) : Status(fail(Code::kUnavailable, closed_));
}

Status SequenceGate::server_ready() const {
  for (const std::string* why : {&closed_, &leaving_}) {
    if (!why->empty()) {
      return fail(Code::kUnavailable, *why);
    }
  }
  return behind_.server_ready();
}

void SequenceGate::drain(std::function<void()> idle) {
  closed_ = "the server is shutting down";
  idle_ = std::move(idle);
  note_idle();
}

void SequenceGate::note_idle() {
  if (idle_ && steps_.empty()) {
    std::exchange(idle_, nullptr)();
  }
}

void SequenceGate::abandon(const Error& error) {
  while (!waiting_.empty()) {
    const std::uint64_t ticket = waiting_.begin()->second;
    const auto after = sequences_.remove(ticket);
    answer(ticket, error);
    apply(*after, error);
  }
}

void SequenceGate::cancel(std::uint64_t ticket) {
  if (ticket < kFirstTicket) {
    behind_.cancel(ticket);
    return;
  }
  const auto step = steps_.find(ticket);
  if (step == steps_.end()) {
    return;
  }
  if (step->second.inner != 0) {
    behind_.cancel(step->second.inner);
    return;
  }
  const auto after = sequences_.remove(ticket);
  if (!after) {
    return;  // its turn has come, and it is about to run
  }
  answer(ticket, {Code::kCancelled, "the client cancelled the request or went away", {}});
  apply(*after, not_begun());
}

void SequenceGate::worker_lost(const std::string& slot) {
  boost::asio::post(main_, [alive = alive_, slot] {
    if (*alive != nullptr) {
      (*alive)->forget_sequences_of(slot);
    }
  });
}

void SequenceGate::forget_sequences_of(const std::string& slot) {
  apply(sequences_.lost(slot, Clock::now()),
        {Code::kWorkerLost, "the worker of the sequence was lost, and its state with it: begin it again", {}});
}

void SequenceGate::drop_late() {
  while (!waiting_.empty() && waiting_.begin()->first <= Clock::now()) {
    const std::uint64_t ticket = waiting_.begin()->second;
    const auto after = sequences_.remove(ticket);
    answer(ticket,
           {Code::kDeadlineExceeded, "the deadline passed while the request waited for its turn in the sequence", {}});
    apply(*after, not_begun());
  }
  arm_timer();
}

void SequenceGate::arm_timer() {
  if (waiting_.empty()) {
    // Not cancel(): the time would stay, and the next request with the same deadline would be taken for armed.
    timer_.expires_at(TimePoint::max());
    return;
  }
  if (timer_.expiry() == waiting_.begin()->first) {
    return;
  }
  timer_.expires_at(waiting_.begin()->first);
  timer_.async_wait([alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive != nullptr) {
      (*alive)->drop_late();
    }
  });
}

}  // namespace shoal::dispatch
