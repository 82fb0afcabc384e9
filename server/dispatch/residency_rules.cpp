#include "server/dispatch/residency_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "server/schedule/scheduler.hpp"

namespace shoal::dispatch {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

std::uint64_t weights_of(const models::ModelVersion& model) {
  std::uint64_t bytes = model.graph.size;
  for (const models::ExternalBlob& external : model.external) {
    bytes += external.blob.size;
  }
  return bytes;
}

}  // namespace

std::map<std::string, std::uint32_t> keepers_of(const models::Snapshot& models) {
  std::map<std::string, std::uint32_t> keepers;
  for (const auto& [name, versions] : models.models) {
    for (const auto& [version, model] : versions) {
      if (model->is_ready() && model->residency.is_pinned) {
        keepers.emplace(instance_prefix(*model), schedule::Scheduler::kEverywhere);
      } else if (model->is_ready() && model->residency.min_resident > 0) {
        keepers.emplace(instance_prefix(*model), model->residency.min_resident);
      }
    }
  }
  return keepers;
}

Status pinned_fit(const models::ModelVersion& model, const models::Snapshot& served, const schedule::Slots& slots,
                  std::size_t max_instances) {
  if (!model.residency.is_pinned || slots.empty()) {
    return {};
  }
  const auto own = served.models.find(model.name);
  const bool is_served = own != served.models.end() && own->second.contains(model.version) &&
                         own->second.at(model.version).get() == &model;
  std::uint64_t bytes = weights_of(model);
  std::size_t graphs = 1;
  for (const auto& [name, versions] : served.models) {
    for (const auto& [version, other] : versions) {
      const bool is_before =
          is_served ? std::pair(name, version) < std::pair(model.name, model.version) : name != model.name;
      if (is_before && other->is_ready() && other->residency.is_pinned) {
        bytes += weights_of(*other);
        ++graphs;
      }
    }
  }
  const bool fits = std::ranges::any_of(slots, [bytes](const auto& slot) {
    return slot.second.memory_budget == 0 || bytes <= slot.second.memory_budget;
  });
  if (fits && graphs <= max_instances) {
    return {};
  }
  std::uint64_t budget = 0;
  for (const auto& [name, slot] : slots) {
    budget = std::max(budget, slot.memory_budget);
  }
  return fail(Code::kResourceLimit,
              fits ? fmt::format("with model '{}' {} models are pinned (shoal_pinned), and an engine holds {} graphs "
                                 "(schedule.max_instances)",
                                 model.name, graphs, max_instances)
                   : fmt::format("with model '{}' the pinned models (shoal_pinned) take {} MiB, a browser's graphs may "
                                 "take {} MiB (pool.memory_budget)",
                                 model.name, bytes / kMiB, budget / kMiB),
              "shoal_pinned");
}

}  // namespace shoal::dispatch
