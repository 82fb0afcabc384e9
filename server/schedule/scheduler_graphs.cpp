// The scheduler's graphs: loaded, kept, and gone for others.
#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "server/schedule/residency.hpp"
#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

// A slot whose graphs are wanted by turns serves for so many times as long as the load has taken, before the next one.
constexpr int kTenure = 2;
constexpr Duration kLongestTenure = std::chrono::seconds(10);

}  // namespace

void Scheduler::instance_loading(const std::string& slot, const Candidate& candidate, TimePoint now) {
  loading_.insert(slot);
  change(slot).engines[candidate.backend].instances[candidate.instance] = {
      .since = now, .last_used = now, .bytes = candidate.bytes};
}

void Scheduler::instance_ready(const std::string& slot, const Candidate& candidate, LoadReport report, TimePoint now) {
  disturb();
  const std::uint64_t bytes = std::max(candidate.bytes, report.memory_bytes);
  Slot& entry = change(slot);
  Engine& engine = entry.engines[candidate.backend];
  if (const auto before = engine.instances.find(candidate.instance);
      before != engine.instances.end() && before->second.kind == InstanceState::Kind::kLoading) {
    const Duration took = now - before->second.since;
    engine.loads.add(candidate.instance, candidate.bytes, took);
    entry.settled_until = now + std::min(kTenure * took, kLongestTenure);
  }
  entry.is_trimmed = false;
  engine.instances[candidate.instance] = {
      .kind = InstanceState::Kind::kReady, .since = now, .last_used = now, .report = std::move(report), .bytes = bytes};
  assign_keepers();
}

void Scheduler::instance_failed(const std::string& slot, const Candidate& candidate, Error error, TimePoint now) {
  change(slot).engines[candidate.backend].instances[candidate.instance] = {
      .kind = InstanceState::Kind::kFailed, .since = now, .last_used = now, .error = std::move(error)};
}

void Scheduler::keep(std::map<std::string, std::uint32_t> slots_by_prefix) {
  if (slots_by_prefix == kept_) {
    return;
  }
  kept_ = std::move(slots_by_prefix);
  for (auto& [name, slot] : slots_) {
    offers_.changed(name);
    for (auto& [backend, engine] : slot.engines) {
      for (auto& [instance, state] : engine.instances) {
        state.is_kept = false;
      }
    }
  }
  assign_keepers();
}

// Those that keep something go on doing so, as long as they take work.
void Scheduler::assign_keepers() {
  for (const auto& [prefix, wanted] : kept_) {
    using Keeper = std::pair<const std::string*, std::vector<InstanceState*>>;
    std::array<std::vector<Keeper>, 3> by_merit;
    for (auto& [name, slot] : slots_) {
      std::vector<InstanceState*> graphs;
      bool keeps = false;
      for (auto& [backend, engine] : slot.engines) {
        for (auto at = engine.instances.lower_bound(prefix);
             at != engine.instances.end() && at->first.starts_with(prefix); ++at) {
          if (at->second.kind == InstanceState::Kind::kReady) {
            graphs.push_back(&at->second);
            keeps = keeps || at->second.is_kept;
          }
        }
      }
      if (!graphs.empty()) {
        const std::size_t merit = !takes_work(slot) ? 2 : keeps ? 0 : 1;
        by_merit.at(merit).emplace_back(&name, std::move(graphs));
      }
    }
    std::uint32_t kept = 0;
    for (const std::vector<Keeper>& keepers : by_merit) {
      for (const auto& [name, graphs] : keepers) {
        offers_.changed(*name);
        for (InstanceState* graph : graphs) {
          graph->is_kept = kept < wanted;
        }
        ++kept;
      }
    }
  }
}

std::optional<std::vector<Candidate>> Scheduler::fetch(const std::string& slot, const Candidate& candidate,
                                                       TimePoint now) {
  Slot& entry = change(slot);
  Engine& engine = entry.engines[candidate.backend];
  const bool is_possible = entry.is_up && engine.usable && !engine.instances.contains(candidate.instance);
  auto evicted = is_possible ? room_for(entry, candidate, limits_.max_instances) : std::nullopt;
  if (!evicted || is_wanted(*evicted)) {
    return std::nullopt;
  }
  for (const Candidate& gone : *evicted) {
    entry.engines[gone.backend].instances.erase(gone.instance);
  }
  instance_loading(slot, candidate, now);
  return evicted;
}

bool Scheduler::may_disturb(const Slot& slot, TimePoint now) {
  if (now >= slot.settled_until) {
    return true;
  }
  look_again(slot.settled_until);
  return false;
}

bool Scheduler::is_wanted(const std::vector<Candidate>& graphs) const {
  const auto is_one = [&graphs](const Candidate& candidate) {
    return std::ranges::find(graphs, candidate.instance, &Candidate::instance) != graphs.end();
  };
  for (auto head = queue_.first(); head && !graphs.empty(); head = queue_.first_after(head->rank)) {
    if (std::ranges::any_of(jobs_.at(head->rank.job).job.candidates, is_one)) {
      return true;
    }
  }
  return false;
}

std::vector<Scheduler::Dropped> Scheduler::drop(std::string_view prefix) {
  std::vector<Dropped> dropped;
  for (auto& [name, slot] : slots_) {
    offers_.changed(name);
    for (auto& [backend, engine] : slot.engines) {
      for (auto instance = engine.instances.lower_bound(std::string(prefix));
           instance != engine.instances.end() && instance->first.starts_with(prefix);) {
        const InstanceState::Kind kind = instance->second.kind;
        const bool is_loading = kind == InstanceState::Kind::kLoading;
        if (kind != InstanceState::Kind::kFailed) {
          dropped.push_back({name, {backend, instance->first, instance->second.bytes}, is_loading});
        }
        instance = is_loading ? std::next(instance) : engine.instances.erase(instance);
      }
    }
  }
  return dropped;
}

void Scheduler::time_out_loads(TimePoint now, std::vector<Action>& actions) {
  std::erase_if(loading_, [&](const std::string& name) {
    const auto slot = slots_.find(name);
    if (slot == slots_.end() || !slot->second.is_up) {
      return true;
    }
    bool is_loading = false;
    for (auto& [backend, engine] : slot->second.engines) {
      for (auto& [instance, state] : engine.instances) {
        if (state.kind != InstanceState::Kind::kLoading) {
          continue;
        }
        if (state.since + limits_.load_timeout > now) {
          is_loading = true;
          continue;
        }
        const Error error{Code::kGraphBuildingError, "loading took longer than its limit", {}};
        actions.push_back({Action::Kind::kRecycle, 0, name, {backend, instance}, {}, error});
        state = {.kind = InstanceState::Kind::kFailed, .since = now, .last_used = now, .error = error};
        offers_.changed(name);
      }
    }
    return !is_loading;
  });
}

void Scheduler::unload_surplus(std::vector<Action>& actions) {
  std::erase_if(trimmed_, [&](const std::string& name) {
    const auto found = slots_.find(name);
    if (found == slots_.end() || !found->second.is_trimmed) {
      return true;
    }
    Slot& slot = found->second;
    if (!slot.is_up) {
      return false;
    }
    offers_.changed(name);
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
    return !slot.is_trimmed;
  });
}

// Beside what runs, and only where nothing has to go for it: until it is there, jobs run in smaller numbers.
void Scheduler::load_larger(const Action& run, const Placement& placement, std::uint32_t rows, TimePoint now,
                            std::vector<Action>& actions) {
  const Slot& slot = slots_[placement.slot];
  const Engine& engine = slot.engines.at(placement.candidate.backend);
  const Cost* cost = nullptr;
  if (const auto found = engine.costs.find(placement.candidate.instance); found != engine.costs.end()) {
    cost = &found->second;
  }
  const auto single = cost == nullptr ? std::nullopt : cost->expected(1);
  for (const Candidate& larger : *placement.candidate.larger) {
    const bool is_within = single && (limits_.max_batch_time == Duration::zero() ||
                                      *single * larger.rows / placement.candidate.rows <= limits_.max_batch_time);
    if (larger.rows <= rows && is_within && !engine.instances.contains(larger.instance) &&
        engine.instances.size() < limits_.max_instances && fits_beside(slot, larger)) {
      Action load = run;
      load.kind = Action::Kind::kLoad;
      load.candidate = larger;
      instance_loading(placement.slot, larger, now);
      actions.push_back(std::move(load));
      return;
    }
  }
}

}  // namespace shoal::schedule
