// What KServe tells about server and models, as JSON documents and as the values that gRPC's messages are made of.
// Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/dispatch/control_view.hpp"
#include "server/dispatch/inference.hpp"
#include "server/dispatch/statistics.hpp"
#include "server/models/model.hpp"

namespace google::protobuf {
class Message;
}

namespace shoal::api::kserve {

inline constexpr std::string_view kServerName = "shoal";

// The protocol extensions that are really there.
std::span<const std::string_view> extensions();

// Versions of the model that are ready, ascending.
std::vector<std::string> ready_versions(const models::Snapshot& snapshot, std::string_view model);

struct IndexEntry {
  std::string name;
  std::string version;     // empty: none is known
  std::string_view state;  // "READY" "LOADING" "UNLOADING" "UNAVAILABLE"
  std::string reason;      // empty when ready
};
// Every version of the repository; only those that answer now when `only_ready`. `changes`: what is on its way in or
// out. Main lane: it asks the service.
std::vector<IndexEntry> repository_index(const models::Snapshot& snapshot, const dispatch::InferenceService& service,
                                         bool only_ready, const dispatch::ControlView& changes = {});

struct StatisticsEntry {
  models::ModelPtr model;
  dispatch::ModelStatistics statistics;  // zero when the model has not run
};
// Of all ready versions, of those of one model, or of one version (`version` as in models::Snapshot::find).
Result<std::vector<StatisticsEntry>> select_statistics(const models::Snapshot& snapshot,
                                                       const dispatch::Statistics& statistics, std::string_view model,
                                                       std::string_view version);

nlohmann::ordered_json server_metadata_json(std::string_view version);
nlohmann::ordered_json model_metadata_json(const models::Snapshot& snapshot, const models::ModelVersion& model);
nlohmann::ordered_json statistics_json(std::span<const StatisticsEntry> entries);
nlohmann::ordered_json index_json(std::span<const IndexEntry> entries);
// Names of the proto, 64-bit integers as numbers, all scalars and lists also when they are empty: as Triton writes it.
nlohmann::ordered_json message_json(const google::protobuf::Message& message);

}  // namespace shoal::api::kserve
