// The dispatcher's loads: what browsers load ahead of requests, and what a load turned out to be, and which browsers
// are given any.
#include <utility>

#include "server/dispatch/dispatcher.hpp"
#include "server/schedule/residency.hpp"

namespace shoal::dispatch {

void Dispatcher::warm_up(const std::string& slot) {
  const schedule::Slot& state = scheduler_.slots().at(slot);
  if (models_ == nullptr || state.intake != schedule::Intake::kOpen || state.duty == schedule::Duty::kDormant) {
    return;
  }
  // What is being loaded goes on whatever comes next.
  std::string loading = std::move(warming_[slot].loading);
  warming_[slot] = warm_up_of(*models_, scheduler_.slots(), slot, warm_up_rules());
  warming_[slot].loading = std::move(loading);
  warm_next();
}

// One warm-up load at a time per browser, so that a request's own load is never behind a queue of them.
void Dispatcher::warm_next() {
  const bool is_settled = models_ != nullptr && defaults_settled(*models_, scheduler_.slots(), warm_up_rules());
  for (auto& [slot, queue] : warming_) {
    while (queue.loading.empty()) {
      std::vector<Way>& next = queue.defaults.empty() && is_settled ? queue.others : queue.defaults;
      if (next.empty()) {
        break;
      }
      const Way way = std::move(next.front());
      next.erase(next.begin());
      if (warm_one(slot, way)) {
        queue.loading = way.candidate.instance;
      }
    }
  }
}

bool Dispatcher::warm_one(const std::string& slot, const Way& way) {
  const schedule::Candidate& candidate = way.candidate;
  const schedule::Slots& slots = scheduler_.slots();
  const std::size_t workers = candidate.max_workers > 0 || way.keep > 0 ? schedule::workers_with(slots, candidate) : 0;
  if (candidate.max_workers > 0 && workers >= candidate.max_workers) {
    return false;
  }
  const auto& instances = slots.at(slot).engines.at(candidate.backend).instances;
  const bool is_free = !instances.contains(candidate.instance) && instances.size() < options_.limits.max_instances &&
                       schedule::fits_beside(slots.at(slot), candidate);
  if (!is_free && workers >= way.keep) {
    return false;
  }
  const auto evicted = scheduler_.fetch(slot, candidate, Clock::now());
  if (!evicted) {
    return false;
  }
  for (const schedule::Candidate& gone : *evicted) {
    workers_.at(slot)->unload(gone.instance);
    note(slot, gone, "loaded", "unloaded", "made room for a graph that is kept");
  }
  start_load(slot, way);
  return true;
}

void Dispatcher::load_ended(const OpenLoad& load, Status status) {
  const std::string& slot = load.slot;
  const schedule::Candidate& candidate = load.candidate;
  const bool is_unwanted = unwanted_.erase({slot, candidate.instance}) > 0;
  const TimePoint now = Clock::now();
  if (status) {
    const pool::LoadOutcome& outcome = load.outcome;
    log_.info("model_loaded", {{"worker", slot},
                               {"instance", candidate.instance},
                               {"ms", microseconds_between(load.began, now) / 1000},
                               {"fetch_ms", outcome.fetch_us / 1000},
                               {"build_ms", outcome.build_us / 1000},
                               {"warm_up_ms", microseconds_between(load.loaded, now) / 1000},
                               {"nodes", nlohmann::json(outcome.nodes)},
                               {"heavy_elsewhere", outcome.heavy_elsewhere.size()},
                               {"from_cache", outcome.from_cache}});
    scheduler_.instance_ready(
        slot, candidate,
        {.nodes = outcome.nodes, .is_mixed = !outcome.heavy_elsewhere.empty(), .memory_bytes = outcome.memory_bytes},
        now);
    note(slot, candidate, "loading", "loaded");
  } else if (status.error().code != Code::kWorkerLost) {
    const Error& error = status.error();
    log_.warn("model_load_failed", {{"worker", slot},
                                    {"instance", candidate.instance},
                                    {"code", code_name(error.code)},
                                    {"error", error.message}});
    scheduler_.instance_failed(slot, candidate, error, now);
    note(slot, candidate, "loading", "failed", error.message);
  }
  if (const auto queue = warming_.find(slot); queue != warming_.end() && queue->second.loading == candidate.instance) {
    queue->second.loading.clear();
  }
  if (is_unwanted) {
    drop_graphs(candidate.instance);
  }
  warm_next();
  step();
}

void Dispatcher::worker_worn(const std::string& slot) {
  if (scheduler_.slots().at(slot).intake == schedule::Intake::kOpen) {
    set_intake(slot, schedule::Intake::kHeld);
  }
}

void Dispatcher::worker_resumed(const std::string& slot) {
  if (scheduler_.slots().at(slot).intake == schedule::Intake::kHeld) {
    set_intake(slot, schedule::Intake::kOpen);
  }
}

void Dispatcher::slot_assigned(const std::string& slot, schedule::Duty duty) {
  scheduler_.set_duty(slot, duty);
  if (duty == schedule::Duty::kDormant) {
    warming_.erase(slot);
  }
  step();
}

void Dispatcher::slot_expected(const std::string& slot, const pool::WorkerState& like) {
  scheduler_.slot_expected(slot, like.backends, like.why_not);
}

void Dispatcher::set_budget(const std::string& slot, std::uint64_t bytes) {
  scheduler_.set_budget(slot, bytes);
  step();
}

void Dispatcher::set_intake(const std::string& slot, schedule::Intake intake) {
  scheduler_.set_intake(slot, intake);
  if (intake == schedule::Intake::kOpen && workers_.contains(slot)) {
    warm_up(slot);
  } else {
    warming_.erase(slot);
  }
  step();
}

void Dispatcher::note(const std::string& slot, const schedule::Candidate& candidate, std::string from, std::string to,
                      std::string reason) {
  if (events_ != nullptr) {
    events_->record({.slot = slot,
                     .instance = candidate.instance,
                     .from = std::move(from),
                     .to = std::move(to),
                     .reason = std::move(reason)});
  }
}

const schedule::LoadReport* Dispatcher::report_of(const OpenRequest& open) const {
  const auto slot = scheduler_.slots().find(open.worker->state().slot);
  if (slot == scheduler_.slots().end()) {
    return nullptr;
  }
  const auto engine = slot->second.engines.find(open.way->candidate.backend);
  if (engine == slot->second.engines.end()) {
    return nullptr;
  }
  const auto instance = engine->second.instances.find(open.way->candidate.instance);
  return instance == engine->second.instances.end() ? nullptr : &instance->second.report;
}

}  // namespace shoal::dispatch
