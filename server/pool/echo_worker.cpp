#include "server/pool/echo_worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace shoal::pool {
namespace {

Duration time_of(const Echo& echo, const std::vector<Tensor>& inputs) {
  const bool has_rows = !inputs.empty() && !inputs.front().shape.empty();
  return echo.delay + echo.delay_per_row * (has_rows ? inputs.front().shape.front() : 1);
}

std::vector<Tensor> outputs_of(const Echo& echo, const RunSpec& spec) {
  std::vector<Tensor> outputs;
  for (const auto& [output, input] : echo.outputs) {
    if (!spec.outputs.empty() && std::ranges::find(spec.outputs, output) == spec.outputs.end()) {
      continue;
    }
    const auto found = std::ranges::find(*spec.inputs, input, &Tensor::name);
    if (found != spec.inputs->end()) {
      outputs.push_back({.name = output, .datatype = found->datatype, .shape = found->shape, .data = found->data});
    }
  }
  return outputs;
}

}  // namespace

EchoWorker::EchoWorker(boost::asio::any_io_executor main, std::string slot)
    : main_(std::move(main)), alive_(std::make_shared<EchoWorker*>(this)) {
  state_.slot = std::move(slot);
  state_.backends = {Backend::kEcho};
}

EchoWorker::~EchoWorker() { *alive_ = nullptr; }

template <class Outcome>
void EchoWorker::post(std::function<void(Result<Outcome>)> done, Result<Outcome> outcome) {
  boost::asio::post(main_,
                    [done = std::move(done), outcome = std::move(outcome)]() mutable { done(std::move(outcome)); });
}

std::uint64_t EchoWorker::load(LoadSpec spec, std::function<void(Result<LoadOutcome>)> done) {
  if (!spec.echo) {
    post<LoadOutcome>(std::move(done), fail(Code::kInvalidArgument, "the echo backend runs no graphs", "backend"));
  } else {
    instances_[spec.instance] = {.echo = *std::move(spec.echo)};
    post<LoadOutcome>(std::move(done), LoadOutcome());
  }
  return next_work_++;
}

std::uint64_t EchoWorker::run(RunSpec spec, std::function<void(Result<RunOutcome>)> done) {
  const std::uint64_t work_id = next_work_++;
  const auto found = instances_.find(spec.instance);
  if (found == instances_.end()) {
    post<RunOutcome>(std::move(done), fail(Code::kInternal, "the echo backend has not loaded " + spec.instance));
    return work_id;
  }
  Instance& instance = found->second;
  Run& run = runs_[work_id];
  run = {.spec = std::move(spec), .done = std::move(done), .accepted = Clock::now()};
  if (instance.busy < instance.echo.instances) {
    start(work_id, run, instance);
  } else {
    instance.waiting.push_back(work_id);
  }
  return work_id;
}

void EchoWorker::start(std::uint64_t work_id, Run& run, Instance& instance) {
  ++instance.busy;
  run.is_started = true;
  run.started = Clock::now();
  after(time_of(instance.echo, *run.spec.inputs), work_id, run, &EchoWorker::respond);
}

void EchoWorker::after(Duration wait, std::uint64_t work_id, Run& run, void (EchoWorker::*next)(std::uint64_t)) {
  const auto go = [alive = alive_, work_id, next] {
    if (*alive != nullptr) {
      ((*alive)->*next)(work_id);
    }
  };
  run.timer.reset();
  if (wait == Duration{}) {
    boost::asio::post(main_, go);
    return;
  }
  run.timer = std::make_unique<boost::asio::steady_timer>(main_, Clock::now() + wait);
  run.timer->async_wait([go](const boost::system::error_code& error) {
    if (!error) {
      go();
    }
  });
}

EchoWorker::Run EchoWorker::take(std::uint64_t work_id) {
  const auto found = runs_.find(work_id);
  Run run = std::move(found->second);
  runs_.erase(found);
  const auto at = instances_.find(run.spec.instance);
  if (at == instances_.end()) {
    return run;
  }
  Instance& instance = at->second;
  if (!run.is_started) {
    std::erase(instance.waiting, work_id);
    return run;
  }
  --instance.busy;
  if (!instance.waiting.empty()) {
    const std::uint64_t next = instance.waiting.front();
    instance.waiting.pop_front();
    start(next, runs_.at(next), instance);
  }
  return run;
}

void EchoWorker::respond(std::uint64_t work_id) {
  const auto found = runs_.find(work_id);
  if (found == runs_.end()) {
    return;  // cancelled
  }
  Run& run = found->second;
  const auto instance = instances_.find(run.spec.instance);
  if (instance == instances_.end()) {
    take(work_id).done(fail(Code::kInternal, "the echo backend was unloaded under a run"));
    return;
  }
  const Echo& echo = instance->second.echo;
  if (echo.responses != 1 && !run.spec.partial) {
    take(work_id).done(fail(Code::kInternal, "a run of several responses has nobody to read them"));
    return;
  }
  if (echo.accumulates && run.given == 0) {
    auto sums = sums_.add(run.spec.sequence.value_or(SequenceStep{.id = {}, .is_first = true, .is_last = true}),
                          *run.spec.inputs);
    if (!sums) {
      take(work_id).done(fail(std::move(sums.error())));
      return;
    }
    run.spec.inputs = std::make_shared<const std::vector<Tensor>>(*std::move(sums));
  }
  RunOutcome outcome{.outputs = {},
                     .agent_queue_us = microseconds_between(run.accepted, run.started),
                     .has_no_response = echo.responses == 0};
  if (!outcome.has_no_response) {
    outcome.outputs = outputs_of(echo, run.spec);
  }
  outcome.compute_us = microseconds_between(run.started + run.held, Clock::now());
  outcome.held_us = microseconds_between(run.started, run.started + run.held);
  if (run.given + 1 < echo.responses) {
    give(work_id, run, std::move(outcome));
  } else {
    take(work_id).done(std::move(outcome));
  }
}

void EchoWorker::give(std::uint64_t work_id, Run& run, RunOutcome outcome) {
  run.held_since = Clock::now();
  const auto more = [alive = alive_, work_id, given = ++run.given] {
    if (*alive != nullptr) {
      (*alive)->go_on(work_id, given);
    }
  };
  // Its reader may cancel the run.
  const Partial partial = run.spec.partial;
  partial(std::move(outcome), more);
  const auto found = runs_.find(work_id);
  if (found != runs_.end() && found->second.held_since) {
    after(kMaxHold, work_id, found->second, &EchoWorker::end_held);
  }
}

void EchoWorker::go_on(std::uint64_t work_id, std::uint32_t given) {
  const auto found = runs_.find(work_id);
  if (found == runs_.end() || found->second.given != given || !found->second.held_since) {
    return;
  }
  Run& run = found->second;
  run.held += Clock::now() - *std::exchange(run.held_since, std::nullopt);
  const auto instance = instances_.find(run.spec.instance);
  after(instance == instances_.end() ? Duration{} : instance->second.echo.gap, work_id, run, &EchoWorker::respond);
}

void EchoWorker::end_held(std::uint64_t work_id) {
  const auto found = runs_.find(work_id);
  if (found != runs_.end() && found->second.held_since) {
    const Run run = take(work_id);
    run.done(fail(Code::kResourceLimit, fmt::format("the client has not taken response {} within {} seconds", run.given,
                                                    kMaxHold / std::chrono::seconds(1))));
  }
}

void EchoWorker::unload(const std::string& instance) { instances_.erase(instance); }

void EchoWorker::cancel(std::uint64_t work_id) {
  if (runs_.contains(work_id)) {
    Run run = take(work_id);
    post<RunOutcome>(std::move(run.done), fail(Code::kCancelled, "the run was cancelled"));
  }
}

}  // namespace shoal::pool
