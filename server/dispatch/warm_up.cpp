#include "server/dispatch/warm_up.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace shoal::dispatch {
namespace {

// What is not demanded of a request: devices below it are a help for those who ask for it, no part of readiness.
Tier tier_of(const models::ModelVersion& model) { return least_tier(model, std::nullopt); }

bool is_usable_anywhere(const schedule::Slots& slots, Tier tier, Backend backend, bool also_drained = false) {
  return std::ranges::any_of(slots, [&](const auto& slot) {
    const auto engine = slot.second.engines.find(backend);
    return slot.second.tier >= tier && engine != slot.second.engines.end() && engine->second.usable &&
           (also_drained || slot.second.intake != schedule::Intake::kDrained);
  });
}

// Not only one day: on a worker that is there, or that the next request wakes.
bool is_usable_now(const schedule::Slots& slots, Tier tier, Backend backend) {
  return std::ranges::any_of(slots, [&](const auto& slot) {
    const auto engine = slot.second.engines.find(backend);
    return slot.second.tier >= tier && engine != slot.second.engines.end() && engine->second.usable &&
           (slot.second.duty == schedule::Duty::kDormant || (slot.second.is_up && schedule::takes_work(slot.second)));
  });
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
  const auto found = std::ranges::find_if(
      ways, [&](const Way& way) { return is_usable_anywhere(slots, tier, way.candidate.backend); });
  return found == ways.end() ? nullptr : &*found;
}

// How far the default is where it got furthest: loaded, else failed, else (nothing) not yet.
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

// What becomes of a default that is loaded nowhere.
enum class Outlook : std::uint8_t {
  kComing,    // a warm-up load is under way or will come
  kOnDemand,  // browsers are full or asleep: the first request makes room for it
  kNever,     // it fits into no browser
};

Outlook outlook_of(const Way& way, const schedule::Slots& slots, std::size_t max_instances, Tier tier) {
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

std::uint64_t largest_budget(const schedule::Slots& slots) {
  std::uint64_t largest = 0;
  for (const auto& [name, slot] : slots) {
    largest = std::max(largest, slot.memory_budget);
  }
  return largest;
}

}  // namespace

WarmUpQueue warm_up_of(const models::Snapshot& models, const schedule::Slots& slots, const std::string& slot,
                       WarmUp policy, std::size_t max_instances) {
  WarmUpQueue queue;
  if (policy == WarmUp::kNone) {
    return queue;
  }
  const schedule::Slot& here = slots.at(slot);
  std::map<Backend, std::size_t> taken;
  for (const models::ModelPtr& model : ready_models(models)) {
    if (here.tier < tier_of(*model)) {
      continue;
    }
    const std::vector<Way> ways = warm_ways_of(*model);
    const Way* first = default_of(ways, slots, tier_of(*model));
    for (const Way& way : ways) {
      const auto engine = here.engines.find(way.candidate.backend);
      const bool is_default = &way == first;
      if (engine == here.engines.end() || !engine->second.usable || (!is_default && policy != WarmUp::kAll) ||
          taken[way.candidate.backend] >= max_instances) {
        continue;
      }
      ++taken[way.candidate.backend];
      (is_default ? queue.defaults : queue.others).push_back(way);
    }
  }
  return queue;
}

bool defaults_settled(const models::Snapshot& models, const schedule::Slots& slots, std::size_t max_instances) {
  return std::ranges::none_of(ready_models(models), [&](const models::ModelPtr& model) {
    const std::vector<Way> ways = warm_ways_of(*model);
    const Way* first = default_of(ways, slots, tier_of(*model));
    return first != nullptr && furthest(*first, slots, tier_of(*model)) == nullptr &&
           outlook_of(*first, slots, max_instances, tier_of(*model)) == Outlook::kComing;
  });
}

bool is_drained(const models::ModelVersion& model, const schedule::Slots& slots) {
  const Tier tier = tier_of(model);
  const std::vector<Way> ways = warm_ways_of(model);
  return default_of(ways, slots, tier) == nullptr && std::ranges::any_of(ways, [&](const Way& way) {
           return is_usable_anywhere(slots, tier, way.candidate.backend, true);
         });
}

Status default_ready(const models::ModelVersion& model, const schedule::Slots& slots, WarmUp policy,
                     std::size_t max_instances) {
  if (!model.is_ready()) {
    return fail(model.load_error);
  }
  const bool is_any_up = std::ranges::any_of(slots, [&model](const auto& slot) {
    return (slot.second.is_up || slot.second.duty == schedule::Duty::kDormant) && slot.second.tier >= tier_of(model);
  });
  if (!is_any_up) {
    return fail(Code::kUnavailable, "no browser is connected yet");
  }
  const std::vector<Way> ways = warm_ways_of(model);
  const Tier tier = tier_of(model);
  const Way* first = default_of(ways, slots, tier);
  if (is_drained(model, slots)) {
    return fail(Code::kUnavailable, fmt::format("every worker that could run model '{}' is drained", model.name));
  }
  if (first == nullptr) {
    return fail(Code::kBackendUnavailable,
                fmt::format("no worker has a backend that model '{}' is offered on", model.name));
  }
  if (policy == WarmUp::kNone) {
    const bool is_there =
        std::ranges::any_of(ways, [&](const Way& way) { return is_usable_now(slots, tier, way.candidate.backend); });
    return is_there
               ? Status()
               : fail(Code::kUnavailable, fmt::format("no worker that could run model '{}' is connected", model.name));
  }
  const schedule::InstanceState* state = furthest(*first, slots, tier);
  if (state == nullptr) {
    switch (outlook_of(*first, slots, max_instances, tier)) {
      case Outlook::kComing:
        return fail(Code::kUnavailable, fmt::format("model '{}' is still loading on {}", model.name,
                                                    backend_name(first->candidate.backend)));
      case Outlook::kOnDemand:
        return {};
      case Outlook::kNever:
        return fail(schedule::too_big(first->candidate, largest_budget(slots)));
    }
  }
  return state->kind == schedule::InstanceState::Kind::kReady ? Status() : fail(state->error);
}

}  // namespace shoal::dispatch
