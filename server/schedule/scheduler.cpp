#include "server/schedule/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace shoal::schedule {

namespace {

void set_engines(Slot& slot, const std::vector<Backend>& usable, const std::map<Backend, std::string>& why_not) {
  for (const Backend backend : usable) {
    slot.engines[backend].usable = true;
  }
  for (const auto& [backend, reason] : why_not) {
    slot.engines[backend].why_not = reason;
  }
}

// Whether a job that waits for this candidate could run there, now or later.
bool could_run(const Slot& slot, const Candidate& candidate, const Job& job) {
  const auto engine = slot.engines.find(candidate.backend);
  if (engine == slot.engines.end() || !engine->second.usable || slot.tier < job.min_tier ||
      slot.intake == Intake::kDrained) {
    return false;
  }
  const auto instance = engine->second.instances.find(candidate.instance);
  return instance == engine->second.instances.end() || instance->second.kind != InstanceState::Kind::kFailed;
}

}  // namespace

Scheduler::Scheduler(SchedulerLimits limits) : limits_(std::move(limits)) {}

void Scheduler::slot_configured(const std::string& slot, const std::vector<Backend>& allowed) {
  Slot& entry = slots_[slot];
  for (const Backend backend : allowed) {
    entry.engines[backend].usable = true;
  }
}

void Scheduler::slot_up(const std::string& slot, const std::vector<Backend>& usable,
                        const std::map<Backend, std::string>& why_not, Tier tier) {
  Slot& entry = slots_[slot];
  const Intake intake = entry.intake == Intake::kDrained ? Intake::kDrained : Intake::kOpen;
  entry = Slot{.is_up = true,
               .engines = {},
               .intake = intake,
               .memory_budget = entry.memory_budget,
               .tier = tier,
               .duty = entry.duty};
  set_engines(entry, usable, why_not);
}

void Scheduler::slot_expected(const std::string& slot, const std::vector<Backend>& usable,
                              const std::map<Backend, std::string>& why_not) {
  const auto found = slots_.find(slot);
  if (found != slots_.end() && !found->second.is_up) {
    found->second.engines.clear();
    set_engines(found->second, usable, why_not);
  }
}

void Scheduler::set_duty(const std::string& slot, Duty duty) {
  if (const auto found = slots_.find(slot); found != slots_.end()) {
    found->second.duty = duty;
    if (duty == Duty::kDormant && found->second.intake == Intake::kHeld) {
      found->second.intake = Intake::kOpen;  // there is no browser any more whose end would have to be waited for
    }
  }
}

void Scheduler::slot_down(const std::string& slot) {
  const auto found = slots_.find(slot);
  if (found == slots_.end()) {
    return;
  }
  // What the browser could do is remembered: its successor in the slot is expected to do the same.
  found->second.is_up = false;
  for (auto& [backend, engine] : found->second.engines) {
    engine.instances.clear();
    engine.in_flight = 0;
  }
}

void Scheduler::slot_gone(const std::string& slot) { slots_.erase(slot); }

void Scheduler::set_intake(const std::string& slot, Intake intake) {
  if (const auto found = slots_.find(slot); found != slots_.end()) {
    found->second.intake = intake;
  }
}

void Scheduler::set_budget(const std::string& slot, std::uint64_t bytes) {
  if (const auto found = slots_.find(slot); found != slots_.end()) {
    found->second.is_trimmed = bytes > 0;
    found->second.memory_budget = bytes;
  }
}

void Scheduler::instance_loading(const std::string& slot, const Candidate& candidate, TimePoint now) {
  slots_[slot].engines[candidate.backend].instances[candidate.instance] = {
      .since = now, .last_used = now, .bytes = candidate.bytes};
}

void Scheduler::instance_ready(const std::string& slot, const Candidate& candidate, LoadReport report, TimePoint now) {
  const std::uint64_t bytes = std::max(candidate.bytes, report.memory_bytes);
  slots_[slot].is_trimmed = false;
  slots_[slot].engines[candidate.backend].instances[candidate.instance] = {
      .kind = InstanceState::Kind::kReady, .since = now, .last_used = now, .report = std::move(report), .bytes = bytes};
}

void Scheduler::instance_failed(const std::string& slot, const Candidate& candidate, Error error, TimePoint now) {
  slots_[slot].engines[candidate.backend].instances[candidate.instance] = {
      .kind = InstanceState::Kind::kFailed, .since = now, .last_used = now, .error = std::move(error)};
}

Scheduler::Rank Scheduler::rank_of(const Entry& entry) {
  return {entry.job.priority, entry.job.deadline, entry.sequence, entry.job.id};
}

Status Scheduler::enqueue(Job job, TimePoint now) {
  if (job.deadline <= now) {
    return fail(Code::kDeadlineExceeded, "the deadline had passed before the request was accepted");
  }
  if (queue_.size() >= limits_.max_queued) {
    return fail(Code::kOverloaded, fmt::format("Exceeds maximum queue size of {} requests", limits_.max_queued));
  }
  if (job.bytes > limits_.max_queued_bytes - queued_bytes_) {
    return fail(Code::kOverloaded, fmt::format("Exceeds maximum queue size of {} bytes", limits_.max_queued_bytes));
  }
  if (job.worker && !slots_.contains(*job.worker)) {
    return fail(Code::kNotFound, fmt::format("no worker '{}' in this pool", *job.worker), "shoal_worker");
  }
  const Placement placement = place(slots_, job, limits_);
  if (placement.kind == Placement::Kind::kImpossible) {
    return fail(placement.error);
  }
  const JobId id = job.id;
  queued_bytes_ += job.bytes;
  if (job.deadline != kNoDeadline) {
    deadlines_.emplace(job.deadline, id);
  }
  if (job.is_alone) {
    alone_.insert(id);
  }
  const auto [entry, inserted] = jobs_.emplace(id, Entry{std::move(job), next_sequence_++, 0, {}, {}});
  queue_.insert(rank_of(entry->second));
  return {};
}

void Scheduler::leave_engine(const Entry& entry) {
  const auto slot = slots_.find(entry.slot);
  if (slot == slots_.end()) {
    return;
  }
  Engine& engine = slot->second.engines[entry.candidate.backend];
  const auto instance = engine.instances.find(entry.candidate.instance);
  // After slot_down() there is nothing left to count.
  if (instance != engine.instances.end() && instance->second.in_flight > 0) {
    --instance->second.in_flight;
    --engine.in_flight;
  }
}

void Scheduler::remove(JobId id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) {
    return;
  }
  const Entry& entry = found->second;
  if (entry.slot.empty()) {
    queue_.erase(rank_of(entry));
    queued_bytes_ -= entry.job.bytes;
  } else {
    leave_engine(entry);
  }
  deadlines_.erase({entry.job.deadline, id});
  alone_.erase(id);
  jobs_.erase(found);
}

void Scheduler::finished(JobId id) { remove(id); }

Status Scheduler::retry(JobId id, const std::string& reason, bool is_alone) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.slot.empty()) {
    return fail(Code::kInternal, "a job was retried that was not running");
  }
  Entry& entry = found->second;
  if (entry.attempts >= limits_.max_attempts) {
    Error error{
        Code::kWorkerLost,
        fmt::format("the worker was lost on each of {} attempts; last on '{}': {}", entry.attempts, entry.slot, reason),
        {}};
    remove(id);
    return fail(std::move(error));
  }
  leave_engine(entry);
  entry.slot.clear();
  entry.job.is_alone = entry.job.is_alone || is_alone;
  if (entry.job.is_alone) {
    alone_.insert(id);
  }
  queued_bytes_ += entry.job.bytes;
  queue_.insert(rank_of(entry));
  return {};
}

std::optional<std::string> Scheduler::cancel(JobId id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) {
    return std::nullopt;
  }
  std::string slot = found->second.slot;
  remove(id);
  return slot;
}

void Scheduler::expire(TimePoint now, std::vector<Action>& actions) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const JobId id = deadlines_.begin()->second;
    const Entry& entry = jobs_.at(id);
    const std::string where = entry.slot.empty() ? "while it was queued" : "while it ran on '" + entry.slot + "'";
    actions.push_back({Action::Kind::kFail,
                       id,
                       entry.slot,
                       entry.candidate,
                       {},
                       Error{Code::kDeadlineExceeded, "Request timeout expired " + where, {}}});
    remove(id);
  }
}

void Scheduler::time_out_loads(TimePoint now, std::vector<Action>& actions) {
  for (auto& [name, slot] : slots_) {
    for (auto& [backend, engine] : slot.engines) {
      for (auto& [instance, state] : engine.instances) {
        if (slot.is_up && state.kind == InstanceState::Kind::kLoading && state.since + limits_.load_timeout <= now) {
          const Error error{Code::kGraphBuildingError, "loading took longer than its limit", {}};
          actions.push_back({Action::Kind::kRecycle, 0, name, {backend, instance}, {}, error});
          state = {.kind = InstanceState::Kind::kFailed, .since = now, .last_used = now, .error = error};
        }
      }
    }
  }
}

void Scheduler::reserve() {
  for (auto& [name, slot] : slots_) {
    slot.is_reserved = false;
  }
  for (const JobId id : alone_) {
    if (const std::string& slot = jobs_.at(id).slot; !slot.empty()) {
      slots_[slot].is_reserved = true;
    }
  }
}

void Scheduler::unload_surplus(std::vector<Action>& actions) {
  for (auto& [name, slot] : slots_) {
    if (!slot.is_trimmed || !slot.is_up) {
      continue;
    }
    for (Candidate& candidate : surplus(slot)) {
      slot.engines[candidate.backend].instances.erase(candidate.instance);
      actions.push_back({Action::Kind::kUnload,
                         0,
                         name,
                         std::move(candidate),
                         {},
                         Error{Code::kResourceLimit, "the worker's memory budget was lowered", {}}});
    }
    // What is busy goes later. What is loaded from now on has passed admission, whatever it turns out to take.
    slot.is_trimmed = resident_bytes(slot) > slot.memory_budget && in_flight_of(slot) > 0;
  }
}

std::vector<Action> Scheduler::step(TimePoint now) {
  std::vector<Action> actions;
  expire(now, actions);
  time_out_loads(now, actions);
  reserve();
  unload_surplus(actions);
  std::vector<Rank> ranks(queue_.begin(), queue_.end());
  for (const Rank& rank : ranks) {
    Entry& entry = jobs_.at(std::get<3>(rank));
    Placement placement = place(slots_, entry.job, limits_);
    Action action{.kind = Action::Kind::kRun,
                  .job = entry.job.id,
                  .slot = placement.slot,
                  .candidate = placement.candidate,
                  .fallback_from = placement.fallback_from,
                  .error = {}};
    switch (placement.kind) {
      case Placement::Kind::kWait:
        // Else it would wait for as long as others come.
        if (entry.job.is_alone && !placement.slot.empty()) {
          slots_[placement.slot].is_reserved = true;
        }
        continue;
      case Placement::Kind::kImpossible:
        action.kind = Action::Kind::kFail;
        action.error = placement.error;
        remove(entry.job.id);
        break;
      case Placement::Kind::kLoad:
        action.kind = Action::Kind::kLoad;
        for (const Candidate& evicted : placement.evicted) {
          slots_[placement.slot].engines[evicted.backend].instances.erase(evicted.instance);
          Action unload = action;
          unload.kind = Action::Kind::kUnload;
          unload.candidate = evicted;
          actions.push_back(std::move(unload));
        }
        instance_loading(placement.slot, placement.candidate, now);
        break;
      case Placement::Kind::kRun: {
        queue_.erase(rank);
        queued_bytes_ -= entry.job.bytes;
        entry.slot = placement.slot;
        entry.candidate = placement.candidate;
        ++entry.attempts;
        Engine& engine = slots_[placement.slot].engines[placement.candidate.backend];
        ++engine.in_flight;
        slots_[placement.slot].is_reserved = entry.job.is_alone;
        InstanceState& instance = engine.instances[placement.candidate.instance];
        instance.last_used = now;
        ++instance.in_flight;
        break;
      }
    }
    actions.push_back(std::move(action));
  }
  return actions;
}

std::vector<Backlog> Scheduler::backlog(const std::vector<std::vector<std::string>>& groups) const {
  std::vector<Backlog> found(groups.size());
  std::size_t seen = 0;
  for (const Rank& rank : queue_) {
    if (++seen > kMaxBacklog) {
      break;
    }
    const Job& job = jobs_.at(std::get<3>(rank)).job;
    const Placement placement = place(slots_, job, limits_);
    for (std::size_t at = 0; at < groups.size(); ++at) {
      const bool is_for_group = std::ranges::any_of(groups[at], [&](const std::string& name) {
        const auto slot = slots_.find(name);
        return slot != slots_.end() && (!job.worker || *job.worker == name) &&
               could_run(slot->second, placement.candidate, job);
      });
      std::vector<std::string>& named = found[at].named_slots;
      if (is_for_group && !job.worker) {
        ++found[at].queued;
      } else if (is_for_group && std::ranges::find(named, *job.worker) == named.end()) {
        named.push_back(*job.worker);
      }
    }
  }
  return found;
}

std::optional<TimePoint> Scheduler::next_wakeup() const {
  std::optional<TimePoint> next;
  const auto earlier = [&next](TimePoint at) { next = next ? std::min(*next, at) : at; };
  if (!deadlines_.empty()) {
    earlier(deadlines_.begin()->first);
  }
  for (const auto& [name, slot] : slots_) {
    for (const auto& [backend, engine] : slot.engines) {
      for (const auto& [instance, state] : engine.instances) {
        if (slot.is_up && state.kind == InstanceState::Kind::kLoading) {
          earlier(state.since + limits_.load_timeout);
        }
      }
    }
  }
  return next;
}

}  // namespace shoal::schedule
