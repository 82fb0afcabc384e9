// The dispatcher's warm runs: after a graph was loaded its model's samples, one after the other, in no statistics. To
// the scheduler the graph is being loaded until then, so that no request is sent to it.
#include <fmt/format.h>

#include <utility>

#include "server/dispatch/dispatcher.hpp"

namespace shoal::dispatch {

void Dispatcher::start_load(const std::string& slot, const Way& way) {
  const auto load = std::make_shared<OpenLoad>(
      OpenLoad{.slot = slot, .candidate = way.candidate, .began = Clock::now(), .runs = warm_runs_of(way)});
  workers_.at(slot)->load(way.load, [alive = alive_, load](Result<pool::LoadOutcome> outcome) {
    if (*alive == nullptr) {
      return;
    }
    if (!outcome) {
      (*alive)->load_ended(*load, fail(std::move(outcome.error())));
      return;
    }
    load->outcome = *std::move(outcome);
    load->loaded = Clock::now();
    (*alive)->go_on_warming(load);
  });
}

void Dispatcher::go_on_warming(const std::shared_ptr<OpenLoad>& load) {
  if (load->run == load->runs.size() || unwanted_.contains({load->slot, load->candidate.instance})) {
    load_ended(*load, {});
    return;
  }
  const WarmRun& run = load->runs[load->run];
  const TimePoint deadline = load->began + options_.limits.load_timeout;
  if (Clock::now() >= deadline) {
    warming_failed(*load, {Code::kDeadlineExceeded, "loading and warming up took longer than pool.load_timeout", {}});
    return;
  }
  pool::RunSpec spec{
      .instance = load->candidate.instance, .inputs = run.inputs, .outputs = {}, .pooling = {}, .deadline = deadline};
  if (run.is_decoupled) {
    spec.partial = [](const pool::RunOutcome&, const std::function<void()>& more) { more(); };
  }
  workers_.at(load->slot)->run(std::move(spec), [alive = alive_, load](Result<pool::RunOutcome> outcome) {
    if (*alive == nullptr) {
      return;
    }
    if (!outcome) {
      (*alive)->warming_failed(*load, std::move(outcome.error()));
      return;
    }
    if (++load->times == load->runs[load->run].times) {
      load->times = 0;
      ++load->run;
    }
    (*alive)->go_on_warming(load);
  });
}

void Dispatcher::warming_failed(const OpenLoad& load, Error error) {
  const Code code = error.code;
  if (code != Code::kWorkerLost) {
    workers_.at(load.slot)->unload(load.candidate.instance);
  }
  Error told = std::move(error).with(fmt::format("model_warmup '{:.100}'", load.runs[load.run].sample));
  if (code == Code::kUnavailable) {
    told.code = Code::kInternal;  // a load that is over is not one that is still to come
  }
  const std::string reason = told.message;
  load_ended(load, fail(std::move(told)));
  if (code == Code::kBackendUnavailable && recycle_) {
    recycle_(load.slot, reason);
  }
}

}  // namespace shoal::dispatch
