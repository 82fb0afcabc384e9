// The dispatcher's changes of models while it serves: graphs that are loaded before their model is named, and graphs
// that nobody needs any more.
#include <algorithm>
#include <utility>

#include "server/dispatch/dispatcher.hpp"

namespace shoal::dispatch {

bool Dispatcher::prepare(const models::ModelVersion& model) {
  if (options_.warm_up == WarmUp::kNone) {
    return false;
  }
  models::Snapshot alone;
  // It is not changed, and gone when this ends.
  alone.models[model.name][model.version] = models::ModelPtr(models::ModelPtr(), &model);
  bool is_coming = false;
  for (const auto& [name, worker] : workers_) {
    const schedule::Slot& slot = scheduler_.slots().at(name);
    if (slot.intake != schedule::Intake::kOpen || slot.duty == schedule::Duty::kDormant) {
      continue;
    }
    WarmUpRules rules = warm_up_rules();
    rules.policy = WarmUp::kDefault;
    WarmUpQueue wanted = warm_up_of(alone, scheduler_.slots(), name, rules);
    WarmUpQueue& queue = warming_[name];
    for (Way& way : wanted.defaults) {
      is_coming = true;
      const std::string& instance = way.candidate.instance;
      const bool is_known = slot.engines.at(way.candidate.backend).instances.contains(instance) ||
                            std::ranges::find(queue.defaults, instance, [](const Way& one) {
                              return one.candidate.instance;
                            }) != queue.defaults.end();
      if (!is_known) {
        queue.defaults.insert(queue.defaults.begin(), std::move(way));
      }
    }
  }
  warm_next();
  return is_coming;
}

Order Dispatcher::order_of(const models::ModelVersion& model, std::optional<Family> family) const {
  if (model.has_own_order || model.echo) {
    return {};
  }
  const auto [order, is_new] = orders_.try_emplace({family, model.backends});
  if (is_new) {
    std::vector<const schedule::Traits*> fleet;
    for (const auto& [slot, traits] : traits_) {
      fleet.push_back(&traits);
    }
    order->second = schedule::preferences(family, fleet, model.backends);
  }
  return order->second;
}

WarmUpRules Dispatcher::warm_up_rules() const {
  return {.policy = options_.warm_up,
          .max_instances = options_.limits.max_instances,
          .order = [this](const models::ModelVersion& model) { return order_of(model, model.family); },
          .demand = [this, now = Clock::now()](
                        const models::ModelVersion& model) { return demand_.of({model.name, model.version}, now); }};
}

void Dispatcher::learn_traits(const pool::WorkerState& state) {
  traits_[state.slot] = state.traits;
  orders_.clear();
}

void Dispatcher::drop_graphs(const std::string& prefix) {
  const auto is_dropped = [&prefix](const Way& way) { return way.candidate.instance.starts_with(prefix); };
  for (auto& [slot, queue] : warming_) {
    std::erase_if(queue.defaults, is_dropped);
    std::erase_if(queue.others, is_dropped);
  }
  for (const schedule::Scheduler::Dropped& dropped : scheduler_.drop(prefix)) {
    if (dropped.is_loading) {
      unwanted_.emplace(dropped.slot, dropped.candidate.instance);
    } else if (const auto worker = workers_.find(dropped.slot); worker != workers_.end()) {
      worker->second->unload(dropped.candidate.instance);
      note(dropped.slot, dropped.candidate, "loaded", "unloaded", "its model was unloaded or replaced");
    }
  }
  step();
}

}  // namespace shoal::dispatch
