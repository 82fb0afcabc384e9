#include "server/dispatch/dispatcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "server/dispatch/joining.hpp"
#include "server/dispatch/residency_rules.hpp"
#include "server/metrics/families.hpp"
#include "server/models/validate.hpp"

namespace shoal::dispatch {

namespace {

// The next request wakes it.
bool is_dormant(const schedule::Slots::value_type& slot) { return slot.second.duty == schedule::Duty::kDormant; }

schedule::QuarantineLimits poison_limits_of(const DispatcherOptions& options) {
  return {
      .max_losses = options.limits.max_attempts, .expiry = options.poison.expiry, .capacity = options.poison.capacity};
}

// Neither the model nor the client has said which backends it should be.
bool is_guess(const models::ModelVersion& model, const Demand& demand) {
  return !model.has_own_order && !model.echo && !demand.backend && demand.preference.empty();
}

std::optional<Family> family_for(const InferenceRequest& request) {
  return request.demand.family ? request.demand.family : request.model->family;
}

}  // namespace

Dispatcher::Dispatcher(boost::asio::any_io_executor main, DispatcherOptions options, metrics::Families& metrics,
                       Log log)
    : main_(std::move(main)),
      options_(std::move(options)),
      metrics_(metrics),
      log_(std::move(log)),
      scheduler_(options_.limits),
      poison_(poison_limits_of(options_)),
      spot_check_(options_.spot_check, std::random_device()()),
      timer_(main_),
      alive_(std::make_shared<Dispatcher*>(this)) {}

Dispatcher::~Dispatcher() { *alive_ = nullptr; }

void Dispatcher::set_options(DispatcherOptions options) {
  const bool is_warmed_otherwise = options.warm_up != options_.warm_up;
  options_ = std::move(options);
  scheduler_.set_limits(options_.limits);
  poison_.set_limits(poison_limits_of(options_));
  spot_check_.set_options(options_.spot_check);
  for (const auto& [slot, worker] : workers_) {
    if (is_warmed_otherwise) {
      warm_up(slot);
    }
  }
  step();
}

void Dispatcher::set_models(models::SnapshotPtr models) {
  models_ = std::move(models);
  for (const auto& [name, versions] : models_->models) {
    for (const auto& [version, model] : versions) {
      tally_.of({name, version});
    }
  }
  scheduler_.keep(keepers_of(*models_));
  for (const auto& [slot, worker] : workers_) {
    warm_up(slot);
  }
}

void Dispatcher::slot_configured(const std::string& slot, const std::vector<Backend>& allowed) {
  scheduler_.slot_configured(slot, allowed);
}

std::uint64_t Dispatcher::submit(InferenceRequest request, Completion done) {
  const std::uint64_t ticket = next_ticket_++;
  const auto refuse = [&](Error error) {
    Tally::failed(tally_.of({request.model->name, request.model->version}), error.code,
                  microseconds_between(request.received, Clock::now()));
    boost::asio::post(main_,
                      [done = std::move(done), error = std::move(error)]() mutable { done(fail(std::move(error))); });
    return ticket;
  };
  if (is_draining_) {
    return refuse({Code::kUnavailable, "the server is shutting down", {}});
  }
  if (request.model->is_decoupled && !request.partial) {
    return refuse(
        {Code::kOperatorNotSupported,
         fmt::format("model '{}' is decoupled: it answers ModelStreamInfer and generate_stream", request.model->name),
         {}});
  }
  if (Status fits = models_ == nullptr
                        ? Status()
                        : pinned_fit(*request.model, *models_, scheduler_.slots(), options_.limits.max_instances);
      !fits) {
    return refuse(std::move(fits.error()));
  }
  auto ways = ways_of(*request.model, request.inputs, request.demand, order_of(*request.model, family_for(request)));
  if (!ways) {
    return refuse(std::move(ways.error()));
  }
  const TimePoint now = Clock::now();
  demand_.add({request.model->name, request.model->version}, now);
  if (request.deadline == kNoDeadline) {
    request.deadline = now + options_.default_timeout;
  }
  auto open = std::make_unique<OpenRequest>();
  open->ticket = ticket;
  open->batch_size = static_cast<std::uint64_t>(models::batch_size_of(*request.model, request.inputs));
  schedule::Job job = job_of(ticket, request, *ways);
  job.worker = request.demand.worker;
  job.is_guess = is_guess(*request.model, request.demand);
  job.family = job.is_guess ? family_for(request) : std::nullopt;
  job.min_tier = least_tier(*request.model, request.demand.trust);
  job.bytes = total_bytes(request.inputs);
  if (std::optional<Error> error = suspicion(request, *open, job)) {
    return refuse(*std::move(error));
  }
  set_queue_policy(*request.model, now, job);
  set_joining(request, job);
  if (Status status = scheduler_.enqueue(std::move(job), now); !status) {
    return refuse(std::move(status.error()));
  }
  open->ways = *std::move(ways);
  open->inputs = std::make_shared<const std::vector<Tensor>>(std::move(request.inputs));
  if (request.generate) {
    open->continuation.emplace();
  }
  open->request = std::move(request);
  open->done = std::move(done);
  open->counts = &tally_.of(open->key());
  Tally::accepted(*open->counts);
  open_.emplace(ticket, std::move(open));
  step();
  return ticket;
}

void Dispatcher::cancel(std::uint64_t ticket) {
  const auto found = open_.find(ticket);
  if (found == open_.end()) {
    return;
  }
  scheduler_.cancel(ticket);
  answer(ticket, fail(Code::kCancelled, "the client cancelled the request or went away"));
  step();
}

Status Dispatcher::model_ready(const models::ModelVersion& model) const {
  if (Status fits = models_ == nullptr ? Status()
                                       : pinned_fit(model, *models_, scheduler_.slots(), options_.limits.max_instances);
      !fits) {
    return fits;
  }
  return default_ready(model, scheduler_.slots(), warm_up_rules());
}

bool Dispatcher::is_withheld(const models::ModelVersion& model) const {
  return is_drained(model, scheduler_.slots(), warm_up_rules());
}

Status Dispatcher::server_ready() const {
  if (is_draining_) {
    return fail(Code::kUnavailable, "the server is shutting down");
  }
  if (models_ == nullptr) {
    return fail(Code::kUnavailable, "the model repository is being read");
  }
  if (workers_.empty() && std::ranges::none_of(scheduler_.slots(), is_dormant)) {
    return fail(Code::kUnavailable, "no browser is connected yet");
  }
  for (const auto& [name, versions] : models_->models) {
    for (const auto& [version, model] : versions) {
      // A model that can never be ready is told by its own readiness, and does not take the others off the air.
      if (const Status status = model_ready(*model);
          !status && status.error().code == Code::kUnavailable && model->is_ready()) {
        return status;
      }
    }
  }
  return {};
}

void Dispatcher::worker_ready(pool::Worker& worker) {
  const pool::WorkerState& state = worker.state();
  workers_[state.slot] = &worker;
  ++lives_[state.slot];
  scheduler_.slot_up(state.slot, state.backends, state.why_not, state.tier, state.traits);
  learn_traits(state);
  if (state.is_device) {
    scheduler_.set_budget(state.slot, state.memory_budget);
  }
  warm_up(state.slot);
  step();
}

void Dispatcher::worker_lost(const std::string& slot, const std::string& /*reason*/) {
  const auto worker = workers_.find(slot);
  const bool is_device = worker != workers_.end() && worker->second->state().is_device;
  workers_.erase(slot);
  warming_.erase(slot);
  if (is_device) {
    spot_check_.forget(slot);
    scheduler_.slot_gone(slot);
    traits_.erase(slot);
    orders_.clear();
  } else {
    scheduler_.slot_down(slot);
  }
  if (lost_) {
    lost_(slot);
  }
  step();
}

void Dispatcher::step() {
  if (is_stepping_) {
    return;
  }
  is_stepping_ = true;
  for (auto actions = scheduler_.step(Clock::now()); !actions.empty(); actions = scheduler_.step(Clock::now())) {
    for (const schedule::Action& action : actions) {
      carry_out(action);
    }
  }
  is_stepping_ = false;
  arm_timer();
}

// Never set to a later time: with each request's deadline that would be two changes a request. It goes off and finds
// nothing to do instead, once in the time that a request has.
void Dispatcher::arm_timer() {
  const auto at = scheduler_.next_wakeup();
  if (!at || *at >= armed_for_) {
    return;
  }
  armed_for_ = *at;
  timer_.expires_at(*at);
  timer_.async_wait([alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive != nullptr) {
      (*alive)->armed_for_ = TimePoint::max();
      (*alive)->step();
    }
  });
}

void Dispatcher::carry_out(const schedule::Action& action) {
  using Kind = schedule::Action::Kind;
  const auto open = open_.find(action.job);
  switch (action.kind) {
    case Kind::kLoad:
      start_load(action.slot, way_to(open->second->ways, action.candidate.instance));
      break;
    case Kind::kUnload:
      workers_.at(action.slot)->unload(action.candidate.instance);
      note(action.slot, action.candidate, "loaded", "unloaded",
           action.error.message.empty() ? "made room for another graph" : action.error.message);
      break;
    case Kind::kRun:
      start_run(action);
      break;
    case Kind::kFail:
      if (open != open_.end()) {
        answer(action.job, fail(action.error));
      }
      break;
    case Kind::kRecycle:
      log_.warn("worker_recycled", {{"worker", action.slot}, {"reason", action.error.message}});
      if (recycle_) {
        // Not from inside step(): the pool answers by worker_lost.
        boost::asio::post(main_, [alive = alive_, slot = action.slot, reason = action.error.message] {
          if (*alive != nullptr) {
            (*alive)->recycle_(slot, reason);
          }
        });
      }
      break;
  }
}

void Dispatcher::answer(std::uint64_t ticket, Result<InferenceResponse> result) {
  const auto found = open_.find(ticket);
  const std::unique_ptr<OpenRequest> open = std::move(found->second);
  open_.erase(found);
  if (open->worker == nullptr) {
    Tally::left_queue(*open->counts);
  } else {
    leave_run(*open);
  }
  if (open->continuation) {
    note_generation(*open, result);
  }
  if (result) {
    Tally::succeeded(*open->counts, open->batch_size, result->timing);
    const std::string_view worker = result->worker;
    metrics_.request_answered({.model = open->request.model->name,
                               .version = open->request.model->version,
                               .variant = result->variant,
                               .backend = result->backend,
                               .browser = worker.substr(0, worker.find('/'))},
                              {result->timing.total_us, result->timing.queue_us, result->timing.compute_us});
  } else {
    Tally::failed(*open->counts, result.error().code, microseconds_between(open->request.received, Clock::now()));
  }
  // Not from inside submit(), cancel() or step(): the receiver may call back into this.
  boost::asio::post(main_,
                    [done = std::move(open->done), result = std::move(result)]() mutable { done(std::move(result)); });
  if (is_draining_ && open_.empty() && idle_) {
    boost::asio::post(main_, std::exchange(idle_, nullptr));
  }
}

void Dispatcher::drain(std::function<void()> idle) {
  is_draining_ = true;
  if (open_.empty()) {
    idle();
  } else {
    idle_ = std::move(idle);
  }
}

void Dispatcher::abandon(const Error& error) {
  while (!open_.empty()) {
    const std::uint64_t ticket = open_.begin()->first;
    scheduler_.cancel(ticket);
    answer(ticket, fail(error));
  }
}

}  // namespace shoal::dispatch
