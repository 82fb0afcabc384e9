#include "server/schedule/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
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

void Scheduler::set_limits(SchedulerLimits limits) {
  limits_ = std::move(limits);
  for (const auto& [name, slot] : slots_) {
    offers_.changed(name);
  }
}

Slot* Scheduler::change_known(const std::string& slot) {
  const auto found = slots_.find(slot);
  if (found == slots_.end()) {
    return nullptr;
  }
  offers_.changed(slot);
  return &found->second;
}

void Scheduler::disturb() {
  admission_.interrupted();
  calm_since_ = next_sequence_;
}

void Scheduler::slot_configured(const std::string& slot, const std::vector<Backend>& allowed) {
  Slot& entry = change(slot);
  for (const Backend backend : allowed) {
    entry.engines[backend].usable = true;
  }
}

void Scheduler::slot_up(const std::string& slot, const std::vector<Backend>& usable,
                        const std::map<Backend, std::string>& why_not, Tier tier, const Traits& traits) {
  disturb();
  Slot& entry = change(slot);
  const Intake intake = entry.intake == Intake::kDrained ? Intake::kDrained : Intake::kOpen;
  std::map<Backend, Engine> before = std::exchange(entry.engines, {});
  entry = Slot{.is_up = true,
               .engines = {},
               .intake = intake,
               .memory_budget = entry.memory_budget,
               .tier = tier,
               .duty = entry.duty};
  for (auto& [backend, engine] : before) {
    entry.engines[backend].costs = std::move(engine.costs);
    entry.engines[backend].loads = std::move(engine.loads);
  }
  set_engines(entry, usable, why_not);
  for (const Backend backend : worth_of(traits, usable)) {
    entry.engines[backend].is_worth = true;
  }
  std::ranges::copy_if(kFamilies, std::back_inserter(entry.favours),
                       [&](Family family) { return is_favourite(family, traits.browser); });
}

void Scheduler::slot_expected(const std::string& slot, const std::vector<Backend>& usable,
                              const std::map<Backend, std::string>& why_not) {
  Slot* found = change_known(slot);
  if (found != nullptr && !found->is_up) {
    found->engines.clear();
    set_engines(*found, usable, why_not);
  }
}

void Scheduler::set_duty(const std::string& slot, Duty duty) {
  if (Slot* found = change_known(slot)) {
    found->duty = duty;
    if (duty == Duty::kDormant && found->intake == Intake::kHeld) {
      found->intake = Intake::kOpen;  // there is no browser any more whose end would have to be waited for
    }
    assign_keepers();
  }
}

void Scheduler::slot_down(const std::string& slot) {
  Slot* found = change_known(slot);
  if (found == nullptr) {
    return;
  }
  disturb();
  // What the browser could do is remembered: its successor in the slot is expected to do the same.
  found->is_up = false;
  for (auto& [backend, engine] : found->engines) {
    engine.instances.clear();
    engine.in_flight = 0;
    engine.ahead = {};
    engine.free_at = {};
  }
  found->settled_until = {};
  assign_keepers();
}

void Scheduler::slot_gone(const std::string& slot) {
  offers_.changed(slot);
  slots_.erase(slot);
  assign_keepers();
}

void Scheduler::set_intake(const std::string& slot, Intake intake) {
  if (Slot* found = change_known(slot)) {
    found->intake = intake;
    assign_keepers();
  }
}

void Scheduler::set_pressed(const std::string& slot, bool is_pressed) {
  if (Slot* found = change_known(slot)) {
    found->is_pressed = is_pressed;
  }
}

void Scheduler::set_budget(const std::string& slot, std::uint64_t bytes) {
  if (Slot* found = change_known(slot)) {
    found->is_trimmed = bytes > 0;
    trimmed_.insert(slot);
    found->memory_budget = bytes;
  }
}

Status Scheduler::check_room(const Job& job) const {
  if (queue_.size() >= limits_.max_queued) {
    return fail(Code::kOverloaded, fmt::format("Exceeds maximum queue size of {} requests", limits_.max_queued));
  }
  if (job.bytes > limits_.max_queued_bytes - std::min(limits_.max_queued_bytes, queue_.bytes())) {
    return fail(Code::kOverloaded, fmt::format("Exceeds maximum queue size of {} bytes", limits_.max_queued_bytes));
  }
  if (const auto bytes = waiting_bytes_.find(job.queue);
      job.max_queued_bytes > 0 &&
      job.bytes >
          job.max_queued_bytes - std::min(job.max_queued_bytes, bytes == waiting_bytes_.end() ? 0 : bytes->second)) {
    return fail(Code::kOverloaded,
                fmt::format("Exceeds maximum queue size of {} bytes of the model (shoal_max_queue_bytes)",
                            job.max_queued_bytes));
  }
  if (const auto waiting = waiting_.find({job.queue, job.priority});
      job.max_queued > 0 && waiting != waiting_.end() && waiting->second >= job.max_queued) {
    return fail(Code::kOverloaded,
                fmt::format("Exceeds maximum queue size of {} requests of the model", job.max_queued));
  }
  return {};
}

Status Scheduler::check_time(Entry& entry, TimePoint now) const {
  const Job& job = entry.job;
  if (!limits_.refuses_late || job.deadline == kNoDeadline || job.delays) {
    return {};
  }
  const auto [seconds, late] =
      admission_.forecast(entry.line, job.candidates.front().instance, rank_of(entry), entry.seconds, now);
  entry.forecast = seconds;
  if (!late) {
    return {};
  }
  return fail(Code::kOverloaded,
              fmt::format("it, or one that waits behind it, would be answered {:.0f} ms after its deadline",
                          milliseconds(*late)));
}

void Scheduler::expire(TimePoint now, std::vector<Action>& actions) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const JobId id = deadlines_.begin()->second;
    const Entry& entry = jobs_.at(id);
    const std::string slot = slot_of(entry);
    constexpr double kLonger = 1.25;  // than until now it would have taken
    if (entry.sequence >= calm_since_) {
      admission_.came_true(entry.line, entry.job.priority, entry.forecast / kLonger, entry.since, now);
    }
    const std::string where = slot.empty() ? "while it was queued" : "while it ran on '" + slot + "'";
    actions.push_back({Action::Kind::kFail,
                       id,
                       slot,
                       {},
                       {},
                       Error{Code::kDeadlineExceeded, "Request timeout expired " + where, {}}});
    remove(id);
  }
}

void Scheduler::reserve(const std::string& slot) {
  change(slot).is_reserved = true;
  reserved_.insert(slot);
}

void Scheduler::reserve() {
  for (const std::string& name : std::exchange(reserved_, {})) {
    if (Slot* slot = change_known(name)) {
      slot->is_reserved = false;
    }
  }
  for (const JobId id : alone_) {
    if (const std::string& slot = slot_of(jobs_.at(id)); !slot.empty()) {
      reserve(slot);
    }
  }
}

std::vector<Action> Scheduler::step(TimePoint now) {
  std::vector<Action> actions;
  now_ = now;
  expire(now, actions);
  expire_queued(now, actions);
  age(now);
  time_out_loads(now, actions);
  reserve();
  unload_surplus(actions);
  look_again_.reset();
  for (auto head = queue_.first(); head; head = queue_.first_after(head->rank)) {
    serve(*head, now, actions);
  }
  return actions;
}

std::vector<Backlog> Scheduler::backlog(const std::vector<std::vector<std::string>>& groups) const {
  std::vector<Backlog> found(groups.size());
  std::size_t seen = 0;
  // Jobs of one group can go to the same places.
  for (auto head = queue_.first(); head && seen < kMaxBacklog; head = queue_.first_after(head->rank)) {
    const std::size_t waiting = std::min(head->group->size(), kMaxBacklog - seen);
    seen += waiting;
    const Job& job = jobs_.at(head->rank.job).job;
    const Placement placement = placement_of(job);
    for (std::size_t at = 0; at < groups.size(); ++at) {
      const bool is_for_group = std::ranges::any_of(groups[at], [&](const std::string& name) {
        const auto slot = slots_.find(name);
        return slot != slots_.end() && (!job.worker || *job.worker == name) &&
               could_run(slot->second, placement.candidate, job);
      });
      std::vector<std::string>& named = found[at].named_slots;
      if (is_for_group && !job.worker) {
        found[at].queued += waiting;
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
  if (!queue_deadlines_.empty()) {
    earlier(queue_deadlines_.begin()->first);
  }
  if (look_again_) {
    earlier(*look_again_);
  }
  for (const std::string& name : loading_) {
    const auto slot = slots_.find(name);
    if (slot == slots_.end() || !slot->second.is_up) {
      continue;
    }
    for (const auto& [backend, engine] : slot->second.engines) {
      for (const auto& [instance, state] : engine.instances) {
        if (state.kind == InstanceState::Kind::kLoading) {
          earlier(state.since + limits_.load_timeout);
        }
      }
    }
  }
  return next;
}

}  // namespace shoal::schedule
