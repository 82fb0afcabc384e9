#include "server/dispatch/served_models.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "server/dispatch/candidates.hpp"
#include "server/models/repository.hpp"

namespace shoal::dispatch {

void ServedModels::retire(const models::ModelPtr& model) {
  if (model->is_ready()) {
    retiring_.push_back({.name = model->name,
                         .version = model->version,
                         .prefix = instance_prefix(*model),
                         .blobs = models::blobs_of(*model),
                         .model = model});
  }
}

void ServedModels::set(const std::string& name, const Versions& versions) {
  for (const auto& [number, model] : std::exchange(models_[name], {})) {
    retire(model);
  }
  for (const models::ModelPtr& model : versions) {
    models_[name][model->version] = model;
  }
  if (versions.empty()) {
    models_.erase(name);
  }
}

Status ServedModels::unload(const std::string& name) {
  const auto found = models_.find(name);
  if (found == models_.end()) {
    return fail(Code::kNotFound, fmt::format("failed to unload '{}': the repository has no such model", name), "model");
  }
  for (auto& [number, model] : found->second) {
    if (model->is_ready()) {
      retire(model);
      model = models::unavailable(name, number, {Code::kUnavailable, "unloaded", "model"});
    }
  }
  return {};
}

void ServedModels::set_unasked(const std::vector<std::string>& names) {
  const auto is_unasked = [](const auto& versions) { return versions.size() == 1 && versions.contains(0); };
  std::erase_if(models_, [&](const auto& entry) {
    return is_unasked(entry.second) && std::ranges::find(names, entry.first) == names.end();
  });
  for (const std::string& name : names) {
    if (!models_.contains(name)) {
      models_[name][0] = models::unavailable(name, 0, {Code::kUnavailable, "not loaded", "model"});
    }
  }
}

std::vector<std::string> ServedModels::collect() {
  std::vector<std::string> gone;
  std::erase_if(retiring_, [&gone](const Retiring& entry) {
    const bool is_gone = entry.model.expired();
    if (is_gone) {
      gone.push_back(entry.prefix);
    }
    return is_gone;
  });
  std::erase_if(gone, [this](const std::string& prefix) { return has_graphs(prefix); });
  return gone;
}

std::vector<std::pair<std::string, std::int64_t>> ServedModels::retiring() const {
  std::vector<std::pair<std::string, std::int64_t>> versions;
  for (const Retiring& entry : retiring_) {
    versions.emplace_back(entry.name, entry.version);
  }
  return versions;
}

bool ServedModels::has_graphs(const std::string& prefix) const {
  return std::ranges::find(retiring_, prefix, &Retiring::prefix) != retiring_.end() ||
         std::ranges::any_of(models_, [&](const auto& entry) {
           return std::ranges::any_of(entry.second, [&](const auto& version) {
             return version.second->is_ready() && instance_prefix(*version.second) == prefix;
           });
         });
}

bool ServedModels::serves(std::string_view name) const {
  const auto found = models_.find(name);
  return found != models_.end() &&
         std::ranges::any_of(found->second, [](const auto& version) { return version.second->is_ready(); });
}

models::SnapshotPtr ServedModels::snapshot() const {
  std::vector<models::Blob> also = staged_;
  for (const Retiring& entry : retiring_) {
    also.insert(also.end(), entry.blobs.begin(), entry.blobs.end());
  }
  return models::make_snapshot(models_, also);
}

}  // namespace shoal::dispatch
