#include "server/dispatch/warm_up.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "server/schedule/residency.hpp"
#include "server/schedule/scheduler.hpp"

namespace shoal::dispatch {
namespace {

// What is not demanded of a request: devices below it are a help for those who ask for it, no part of readiness.
Tier tier_of(const models::ModelVersion& model) { return least_tier(model, std::nullopt); }

bool is_usable(const schedule::Slot& slot, const Way& way) {
  const auto engine = slot.engines.find(way.candidate.backend);
  return engine != slot.engines.end() && engine->second.usable && (!way.candidate.is_prior || engine->second.is_worth);
}

bool is_usable_anywhere(const schedule::Slots& slots, Tier tier, const Way& way, bool also_drained = false) {
  return std::ranges::any_of(slots, [&](const auto& slot) {
    return slot.second.tier >= tier && is_usable(slot.second, way) &&
           (also_drained || slot.second.intake != schedule::Intake::kDrained);
  });
}

// Not only one day: on a worker that is there, or that the next request wakes.
bool is_usable_now(const schedule::Slots& slots, Tier tier, const Way& way) {
  return std::ranges::any_of(slots, [&](const auto& slot) {
    return slot.second.tier >= tier && is_usable(slot.second, way) &&
           (slot.second.duty == schedule::Duty::kDormant || (slot.second.is_up && schedule::takes_work(slot.second)));
  });
}

Order order_of(const models::ModelVersion& model, const WarmUpRules& rules) {
  return rules.order ? rules.order(model) : Order();
}

bool has_graph(const schedule::Slot& slot, const Way& way) {
  const auto engine = slot.engines.find(way.candidate.backend);
  return engine != slot.engines.end() && engine->second.instances.contains(way.candidate.instance);
}

// Whether the slot is to have the way's graph because it is pinned, or too few others have it.
bool is_to_be_kept(const models::ModelVersion& model, const Way* way, const schedule::Slots& slots,
                   const schedule::Slot& here) {
  const models::ResidencyConfig& residency = model.residency;
  return residency.is_pinned ||
         (residency.min_resident > 0 && way != nullptr &&
          (has_graph(here, *way) || schedule::workers_with(slots, way->candidate) < residency.min_resident));
}

bool has_enough_workers(const Way& way, const schedule::Slots& slots, const schedule::Slot& here) {
  return way.candidate.max_workers > 0 && !has_graph(here, way) &&
         schedule::workers_with(slots, way.candidate) >= way.candidate.max_workers;
}

std::vector<models::ModelPtr> ready_models(const models::Snapshot& models) {
  std::vector<models::ModelPtr> ready;
  for (const auto& [name, versions] : models.models) {
    for (const auto& [version, model] : versions) {
      if (model->is_ready()) {
        ready.push_back(model);
      }
    }
  }
  return ready;
}

// The first preference that the pool has, or nullptr.
const Way* default_of(const std::vector<Way>& ways, const schedule::Slots& slots, Tier tier) {
  const auto found = std::ranges::find_if(ways, [&](const Way& way) { return is_usable_anywhere(slots, tier, way); });
  return found == ways.end() ? nullptr : &*found;
}

// How far the way is where it got furthest: loaded, else failed, else (nothing) not yet.
const schedule::InstanceState* furthest(const Way& way, const schedule::Slots& slots, Tier tier) {
  using Kind = schedule::InstanceState::Kind;
  const schedule::InstanceState* found = nullptr;
  for (const auto& [name, slot] : slots) {
    const auto engine = slot.engines.find(way.candidate.backend);
    if (engine == slot.engines.end() || !schedule::takes_work(slot) || slot.tier < tier) {
      continue;
    }
    const auto instance = engine->second.instances.find(way.candidate.instance);
    if (instance == engine->second.instances.end() || instance->second.kind == Kind::kLoading) {
      continue;
    }
    if (found == nullptr || instance->second.kind == Kind::kReady) {
      found = &instance->second;
    }
  }
  return found;
}

// The same of the default; where that is a guess, of any way that would answer in its place.
const schedule::InstanceState* furthest(const models::ModelVersion& model, const std::vector<Way>& ways,
                                        const Way& first, const schedule::Slots& slots) {
  const schedule::InstanceState* found = furthest(first, slots, tier_of(model));
  for (const Way& way : ways) {
    if (!first.candidate.is_prior || (!way.candidate.is_prior && way.candidate.backend != Backend::kWasm)) {
      continue;
    }
    const schedule::InstanceState* other = furthest(way, slots, tier_of(model));
    if (other != nullptr && other->kind == schedule::InstanceState::Kind::kReady) {
      found = other;
    }
  }
  return found;
}

// What becomes of a default that is loaded nowhere.
enum class Outlook : std::uint8_t {
  kComing,    // a warm-up load is under way or will come
  kOnDemand,  // browsers are full or asleep: the first request makes room for it
  kNever,     // it fits into no browser
};

Outlook outlook_of(const Way& way, const schedule::Slots& slots, std::size_t max_instances, Tier tier) {
  if (way.candidate.max_workers > 0 && schedule::workers_with(slots, way.candidate) >= way.candidate.max_workers) {
    return Outlook::kComing;  // somewhere else
  }
  Outlook outlook = Outlook::kNever;
  for (const auto& [name, slot] : slots) {
    const auto engine = slot.engines.find(way.candidate.backend);
    if (engine == slot.engines.end() || !engine->second.usable || !schedule::takes_work(slot) || slot.tier < tier ||
        !schedule::fits_alone(slot, way.candidate)) {
      continue;
    }
    const auto& instances = engine->second.instances;
    if (slot.duty == schedule::Duty::kDormant) {
      outlook = Outlook::kOnDemand;
      continue;
    }
    if (!slot.is_up || instances.contains(way.candidate.instance) ||
        (instances.size() < max_instances && schedule::fits_beside(slot, way.candidate))) {
      return Outlook::kComing;
    }
    outlook = Outlook::kOnDemand;
  }
  return outlook;
}

const schedule::Slot& roomiest(const schedule::Slots& slots) {
  return std::ranges::max_element(slots, {}, [](const auto& slot) { return slot.second.memory_budget; })->second;
}

}  // namespace

WarmUpQueue warm_up_of(const models::Snapshot& models, const schedule::Slots& slots, const std::string& slot,
                       const WarmUpRules& rules) {
  WarmUpQueue queue;
  const schedule::Slot& here = slots.at(slot);
  std::map<Backend, std::size_t> taken;
  struct Turn {
    bool is_kept;
    double demand;
    models::ModelPtr model;
    std::vector<Way> ways;
    const Way* first;
    std::size_t place;  // by name
  };
  std::vector<Turn> turns;
  for (const models::ModelPtr& model : ready_models(models)) {
    if (here.tier < tier_of(*model)) {
      continue;
    }
    Turn turn{.is_kept = false,
              .demand = rules.demand ? rules.demand(*model) : 0,
              .model = model,
              .ways = warm_ways_of(*model, order_of(*model, rules)),
              .first = nullptr,
              .place = turns.size()};
    turn.first = default_of(turn.ways, slots, tier_of(*model));
    if (turn.first != nullptr && turn.first->candidate.is_prior && !is_usable(here, *turn.first)) {
      const auto own = std::ranges::find_if(turn.ways, [&here](const Way& way) { return is_usable(here, way); });
      turn.first = own == turn.ways.end() ? nullptr : &*own;
    }
    turn.is_kept = is_to_be_kept(*model, turn.first, slots, here);
    if (turn.is_kept || rules.policy != WarmUp::kNone) {
      turns.push_back(std::move(turn));
    }
  }
  std::ranges::sort(turns, {}, [](const Turn& turn) { return std::tuple(!turn.is_kept, -turn.demand, turn.place); });
  for (const auto& [is_kept, demand, model, ways, first, place] : turns) {
    for (const Way& way : ways) {
      const auto engine = here.engines.find(way.candidate.backend);
      const bool is_default = &way == first;
      if (engine == here.engines.end() || !engine->second.usable || (!is_default && rules.policy != WarmUp::kAll) ||
          taken[way.candidate.backend] >= rules.max_instances || has_enough_workers(way, slots, here)) {
        continue;
      }
      ++taken[way.candidate.backend];
      (is_default ? queue.defaults : queue.others).push_back(way);
      if (is_default) {
        queue.defaults.back().keep =
            model->residency.is_pinned ? schedule::Scheduler::kEverywhere : model->residency.min_resident;
      }
    }
  }
  return queue;
}

bool defaults_settled(const models::Snapshot& models, const schedule::Slots& slots, const WarmUpRules& rules) {
  return std::ranges::none_of(ready_models(models), [&](const models::ModelPtr& model) {
    const std::vector<Way> ways = warm_ways_of(*model, order_of(*model, rules));
    const Way* first = default_of(ways, slots, tier_of(*model));
    return first != nullptr && furthest(*model, ways, *first, slots) == nullptr &&
           outlook_of(*first, slots, rules.max_instances, tier_of(*model)) == Outlook::kComing;
  });
}

bool is_drained(const models::ModelVersion& model, const schedule::Slots& slots, const WarmUpRules& rules) {
  const Tier tier = tier_of(model);
  const std::vector<Way> ways = warm_ways_of(model, order_of(model, rules));
  return default_of(ways, slots, tier) == nullptr &&
         std::ranges::any_of(ways, [&](const Way& way) { return is_usable_anywhere(slots, tier, way, true); });
}

Status default_ready(const models::ModelVersion& model, const schedule::Slots& slots, const WarmUpRules& rules) {
  if (!model.is_ready()) {
    return fail(model.load_error);
  }
  const bool is_any_up = std::ranges::any_of(slots, [&model](const auto& slot) {
    return (slot.second.is_up || slot.second.duty == schedule::Duty::kDormant) && slot.second.tier >= tier_of(model);
  });
  if (!is_any_up) {
    return fail(Code::kUnavailable, "no browser is connected yet");
  }
  const std::vector<Way> ways = warm_ways_of(model, order_of(model, rules));
  const Tier tier = tier_of(model);
  const Way* first = default_of(ways, slots, tier);
  if (is_drained(model, slots, rules)) {
    return fail(Code::kUnavailable, fmt::format("every worker that could run model '{}' is drained", model.name));
  }
  if (first == nullptr) {
    return fail(Code::kBackendUnavailable,
                fmt::format("no worker has a backend that model '{}' is offered on", model.name));
  }
  if (rules.policy == WarmUp::kNone) {
    const bool is_there = std::ranges::any_of(ways, [&](const Way& way) { return is_usable_now(slots, tier, way); });
    return is_there
               ? Status()
               : fail(Code::kUnavailable, fmt::format("no worker that could run model '{}' is connected", model.name));
  }
  const schedule::InstanceState* state = furthest(model, ways, *first, slots);
  if (state == nullptr) {
    switch (outlook_of(*first, slots, rules.max_instances, tier)) {
      case Outlook::kComing:
        return fail(Code::kUnavailable, fmt::format("model '{}' is still loading on {}", model.name,
                                                    backend_name(first->candidate.backend)));
      case Outlook::kOnDemand:
        return {};
      case Outlook::kNever:
        return fail(schedule::too_big(first->candidate, roomiest(slots), rules.max_instances));
    }
  }
  return state->kind == schedule::InstanceState::Kind::kReady ? Status() : fail(state->error);
}

}  // namespace shoal::dispatch
