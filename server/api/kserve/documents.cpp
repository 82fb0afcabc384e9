#include "server/api/kserve/documents.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace shoal::api::kserve {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 9> kExtensions = {"classification", "model_repository",    "schedule_policy",
                                                         "sequence",       "model_configuration", "binary_tensor_data",
                                                         "parameters",     "statistics",          "logging"};

ordered_json duration(const dispatch::DurationCount& value) { return {{"count", value.count}, {"ns", value.ns}}; }

ordered_json tensors(const std::vector<models::TensorSignature>& signatures) {
  ordered_json list = ordered_json::array();
  for (const models::TensorSignature& signature : signatures) {
    list.push_back(
        {{"name", signature.name}, {"datatype", datatype_name(signature.datatype)}, {"shape", signature.dims}});
  }
  return list;
}

}  // namespace

std::span<const std::string_view> extensions() { return kExtensions; }

std::vector<std::string> ready_versions(const models::Snapshot& snapshot, std::string_view model) {
  std::vector<std::string> versions;
  if (const auto found = snapshot.models.find(model); found != snapshot.models.end()) {
    for (const auto& [number, version] : found->second) {
      if (version->is_ready()) {
        versions.push_back(std::to_string(number));
      }
    }
  }
  return versions;
}

std::vector<IndexEntry> repository_index(const models::Snapshot& snapshot, const dispatch::InferenceService& service,
                                         bool only_ready, const dispatch::ControlView& changes) {
  std::vector<IndexEntry> entries;
  const auto is_unloading = [&changes](const std::string& name, std::int64_t version) {
    return std::ranges::find(changes.unloading, std::pair(name, version)) != changes.unloading.end();
  };
  for (const auto& [name, versions] : snapshot.models) {
    for (const auto& [number, model] : versions) {
      IndexEntry entry{
          .name = name, .version = number > 0 ? std::to_string(number) : "", .state = "READY", .reason = {}};
      if (!model->is_ready()) {
        entry.state = name == changes.loading ? "LOADING" : is_unloading(name, number) ? "UNLOADING" : "UNAVAILABLE";
        entry.reason = model->load_error.message;
      } else if (const Status status = service.model_ready(*model); !status) {
        // Anything but "not yet" is the graph's own error, which stays.
        const bool is_coming = status.error().code == Code::kUnavailable && !service.is_withheld(*model);
        entry.state = is_coming ? "LOADING" : "UNAVAILABLE";
        entry.reason = status.error().message;
      }
      if (!only_ready || entry.state == "READY") {
        entries.push_back(std::move(entry));
      }
    }
  }
  for (const auto& [name, version] : changes.unloading) {
    const auto found = snapshot.models.find(name);
    if (!only_ready && (found == snapshot.models.end() || !found->second.contains(version))) {
      entries.push_back({name, std::to_string(version), "UNLOADING", "requests that it accepted still run"});
    }
  }
  return entries;
}

Result<std::vector<StatisticsEntry>> select_statistics(const models::Snapshot& snapshot,
                                                       const dispatch::Statistics& statistics, std::string_view model,
                                                       std::string_view version) {
  std::vector<StatisticsEntry> entries;
  const auto add = [&](const models::ModelPtr& one) {
    const auto found = statistics.find({one->name, one->version});
    entries.push_back({one, found == statistics.end() ? dispatch::ModelStatistics{} : found->second});
  };
  if (!model.empty()) {
    auto found = snapshot.find(model, version);
    if (!found) {
      return fail(std::move(found.error()));
    }
    if (!version.empty()) {
      add(*found);
      return entries;
    }
  }
  for (const auto& [name, versions] : snapshot.models) {
    for (const auto& [number, one] : versions) {
      if (one->is_ready() && (model.empty() || model == name)) {
        add(one);
      }
    }
  }
  return entries;
}

ordered_json server_metadata_json(std::string_view version) {
  return {{"name", kServerName}, {"version", version}, {"extensions", kExtensions}};
}

ordered_json model_metadata_json(const models::Snapshot& snapshot, const models::ModelVersion& model) {
  return {{"name", model.name},
          {"versions", ready_versions(snapshot, model.name)},
          {"platform", model.platform},
          {"inputs", tensors(model.inputs)},
          {"outputs", tensors(model.outputs)}};
}

ordered_json statistics_json(std::span<const StatisticsEntry> entries) {
  ordered_json list = ordered_json::array();
  for (const auto& [model, counts] : entries) {
    ordered_json batches = ordered_json::array();
    for (const auto& [size, batch] : counts.batches) {
      batches.push_back({{"batch_size", size},
                         {"compute_input", duration(batch.compute_input)},
                         {"compute_infer", duration(batch.compute_infer)},
                         {"compute_output", duration(batch.compute_output)}});
    }
    list.push_back({{"name", model->name},
                    {"version", std::to_string(model->version)},
                    {"last_inference", counts.last_inference_ms},
                    {"inference_count", counts.inference_count},
                    {"execution_count", counts.execution_count},
                    {"inference_stats",
                     {{"success", duration(counts.success)},
                      {"fail", duration(counts.fail)},
                      {"queue", duration(counts.queue)},
                      {"compute_input", duration(counts.compute_input)},
                      {"compute_infer", duration(counts.compute_infer)},
                      {"compute_output", duration(counts.compute_output)},
                      {"cache_hit", duration({})},
                      {"cache_miss", duration({})}}},
                    {"batch_stats", std::move(batches)},
                    {"memory_usage", ordered_json::array()},
                    {"response_stats", ordered_json::object()}});
  }
  return {{"model_stats", std::move(list)}};
}

ordered_json index_json(std::span<const IndexEntry> entries) {
  ordered_json list = ordered_json::array();
  for (const IndexEntry& entry : entries) {
    list.push_back(
        {{"name", entry.name}, {"version", entry.version}, {"state", entry.state}, {"reason", entry.reason}});
  }
  return list;
}

}  // namespace shoal::api::kserve
