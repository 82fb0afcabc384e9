#include "server/models/repository.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>
#include <system_error>

#include "inference/model_config.pb.h"
#include "server/core/ids.hpp"
#include "server/models/class_labels.hpp"
#include "server/models/echo_config.hpp"
#include "server/models/folder_stamp.hpp"
#include "server/models/model_config.hpp"
#include "server/models/model_parameters.hpp"
#include "server/models/onnx_signature.hpp"
#include "server/models/package_version.hpp"
#include "server/models/read_file.hpp"
#include "server/models/scheduling_config.hpp"
#include "server/models/warm_samples.hpp"

namespace shoal::models {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxModels = 10'000;
constexpr std::size_t kMaxVersions = 1'000;

// Names of the sub-folders, ascending; a folder that cannot be listed has none.
std::vector<std::string> folders_in(const fs::path& root, std::size_t limit) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(root, fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::directory_iterator() && names.size() < limit; entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) {
      names.push_back(entry->path().filename().string());
    }
  }
  std::ranges::sort(names);
  return names;
}

std::vector<std::int64_t> versions_in(const fs::path& folder) {
  std::vector<std::int64_t> versions;
  for (const std::string& name : folders_in(folder, kMaxVersions)) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    // Other folders (documentation, "01") are not versions, as in Triton.
    if (error == std::errc() && end == name.data() + name.size() && number > 0 && name.front() != '0') {
      versions.push_back(number);
    }
  }
  std::ranges::sort(versions, std::greater());
  return versions;
}

// Which of the versions (descending) are served.
std::vector<std::int64_t> chosen(std::vector<std::int64_t> versions, const inference::ModelVersionPolicy& policy) {
  if (policy.has_all()) {
    return versions;
  }
  if (policy.has_specific()) {
    const auto& wanted = policy.specific().versions();
    std::erase_if(versions, [&](std::int64_t version) { return std::ranges::find(wanted, version) == wanted.end(); });
    return versions;
  }
  const std::size_t count = policy.has_latest() ? std::max(policy.latest().num_versions(), 1U) : 1;
  versions.resize(std::min(versions.size(), count));
  return versions;
}

Result<ParsedConfig> read_config(const fs::path& folder, const std::string& name,
                                 const std::optional<std::string>& json) {
  if (json) {
    return parse_model_config_json(*json, name);
  }
  const fs::path file = folder / "config.pbtxt";
  const auto text = read_file(file, kMaxConfigBytes);
  if (!text && text.error().code != Code::kNotFound) {
    return fail(text.error());
  }
  auto parsed = parse_model_config(text ? std::string_view(*text) : std::string_view(), file.string());
  if (parsed && !parsed->config->name().empty() && parsed->config->name() != name) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: name is '{}', its folder is '{}'", file.string(), parsed->config->name(), name));
  }
  return parsed;
}

// External data is named by the graph, which may come from anywhere: it must stay inside the graph's folder.
bool is_inside(std::string_view location) {
  const fs::path path(location);
  return !location.empty() && path.is_relative() && location.find('\\') == std::string_view::npos &&
         location.find('\0') == std::string_view::npos &&
         std::ranges::none_of(path, [](const fs::path& part) { return part == ".."; });
}

Status read_files(const fs::path& folder, const std::string& file_name, const std::set<std::string>& external,
                  Digests& digests, ModelVersion& model) {
  auto graph = digests.digest(folder / file_name);
  if (!graph) {
    return fail(std::move(graph.error()));
  }
  model.graph = std::move(*graph);
  for (const std::string& location : external) {
    if (!is_inside(location)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("the graph names the external data '{}', which is outside its folder", location));
    }
    auto blob = digests.digest(folder / location);
    if (!blob) {
      return fail(std::move(blob.error()).with("external data of the graph"));
    }
    model.external.push_back({.location = location, .blob = std::move(*blob)});
  }
  return {};
}

void read_embedding(const fs::path& folder, const Log& log, Tokenizers& tokenizers, ModelVersion& model) {
  if (is_embedding_off(*model.config)) {
    model.no_embedding_reason = "shoal_embedding is off";
    return;
  }
  auto embedding = read_embedding_config(folder, model, tokenizers);
  if (!embedding) {
    model.no_embedding_reason = embedding.error().message;
    if (embedding.error().code != Code::kNotFound) {
      log.warn("embedding_unusable",
               {{"model", model.name}, {"version", model.version}, {"reason", embedding.error().message}});
    }
    return;
  }
  model.embedding = std::move(*embedding);
  if (model.webnn_buckets.empty()) {
    model.webnn_buckets = default_embedding_buckets(model, *model.embedding);
  }
}

Status finish_version(const fs::path& folder, ModelVersion& model) {
  auto labels = read_class_labels(folder.parent_path(), *model.config);
  if (!labels) {
    return fail(std::move(labels.error()).with("config.pbtxt"));
  }
  model.labels = *std::move(labels);
  auto scheduling = read_scheduling(*model.config, model);
  if (!scheduling) {
    return fail(std::move(scheduling.error()).with("config.pbtxt"));
  }
  model.scheduling = *std::move(scheduling);
  auto warm = read_warm_samples(folder.parent_path(), *model.config, model);
  if (!warm) {
    return fail(std::move(warm.error()).with("config.pbtxt"));
  }
  model.warm_samples = *std::move(warm);
  if (model.scheduling.max_rows > 1 && !model.config->has_dynamic_batching()) {
    // Clients read from the configuration whether requests are joined.
    auto completed = std::make_shared<inference::ModelConfig>(*model.config);
    completed->mutable_dynamic_batching();
    model.config = std::move(completed);
  }
  model.state = ModelState::kReady;
  return {};
}

std::string digest_of(const inference::ModelConfig& config) {
  const std::string text = config.SerializeAsString();
  return sha256_hex(text.data(), text.size());
}

// A model of the echo backend has a configuration and nothing else.
Status read_echo_version(const fs::path& folder, ParsedConfig parsed, const RepositoryOptions& options,
                         ModelVersion& model) {
  if (!options.has_echo) {
    return fail(Code::kUnavailable, "the echo backend is off: echo.workers is 0", "echo.workers");
  }
  model.graph.sha256 = digest_of(*parsed.config);
  auto signature = echo_signature(*parsed.config);
  if (!signature) {
    return fail(std::move(signature.error()).with("config.pbtxt"));
  }
  if (auto applied = apply_model_config(std::move(parsed), *std::move(signature), {Backend::kEcho}, model); !applied) {
    return applied;
  }
  auto echo = read_echo(*model.config, model);
  if (!echo) {
    return fail(std::move(echo.error()).with("config.pbtxt"));
  }
  model.echo = *std::move(echo);
  model.no_embedding_reason = "the echo backend computes nothing";
  return finish_version(folder, model);
}

Status read_version(const fs::path& folder, ParsedConfig parsed, const RepositoryOptions& options, const Log& log,
                    Digests& digests, Tokenizers& tokenizers, ModelVersion& model) {
  // Versions are completed one by one and must not see each other's.
  parsed.config = std::make_shared<inference::ModelConfig>(*parsed.config);
  if (is_echo(*parsed.config)) {
    return read_echo_version(folder, std::move(parsed), options, model);
  }
  if (is_package(folder)) {
    if (auto read = read_package_version(folder, std::move(parsed), digests, tokenizers, model); !read) {
      return read;
    }
    return finish_version(folder, model);
  }
  const std::string file_name =
      parsed.config->default_model_filename().empty() ? "model.onnx" : parsed.config->default_model_filename();
  if (fs::path(file_name).filename() != file_name) {
    return fail(Code::kInvalidArgument, fmt::format("default_model_filename '{}' is not a plain file name", file_name));
  }
  auto signature = read_onnx_signature(folder / file_name);
  if (!signature) {
    return fail(std::move(signature.error()));
  }
  const std::set<std::string> external = std::move(signature->external);
  if (auto applied = apply_model_config(std::move(parsed), std::move(*signature), options.default_backends, model);
      !applied) {
    return applied;
  }
  if (auto files = read_files(folder, file_name, external, digests, model); !files) {
    return files;
  }
  read_embedding(folder, log, tokenizers, model);
  return finish_version(folder, model);
}

}  // namespace

ModelPtr unavailable(const std::string& name, std::int64_t version, Error error) {
  auto model = std::make_shared<ModelVersion>();
  model->name = name;
  model->version = version;
  model->platform = "onnxruntime_onnx";
  model->load_error = std::move(error);
  return model;
}

std::vector<Blob> blobs_of(const ModelVersion& model) {
  std::vector<Blob> blobs;
  if (model.is_ready() && !model.echo) {
    blobs.push_back(model.graph);
    for (const ExternalBlob& external : model.external) {
      blobs.push_back(external.blob);
    }
  }
  return blobs;
}

SnapshotPtr make_snapshot(decltype(Snapshot::models) models, std::span<const Blob> also) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->models = std::move(models);
  const auto add = [&snapshot](const Blob& blob) { snapshot->blobs.emplace(blob.sha256, blob); };
  for (const auto& [name, versions] : snapshot->models) {
    for (const auto& [version, model] : versions) {
      std::ranges::for_each(blobs_of(*model), add);
    }
  }
  std::ranges::for_each(also, add);
  return snapshot;
}

Repository::Repository(RepositoryOptions options, Log log)
    : options_(std::move(options)), log_(std::move(log)), digests_(options_.store) {}

Result<std::vector<std::string>> Repository::names() {
  std::error_code error;
  if (!fs::is_directory(options_.root, error)) {
    return fail(Code::kNotFound, fmt::format("the model repository {} is not a folder", options_.root.string()));
  }
  std::vector<std::string> names;
  for (std::string& name : folders_in(options_.root, kMaxModels)) {
    if (const auto fitting = check_model_name(name); fitting) {
      names.push_back(std::move(name));
    } else if (ignored_.insert(name).second) {
      log_.warn("model_folder_ignored", {{"folder", name}, {"reason", fitting.error().message}});
    }
  }
  return names;
}

Result<std::vector<ModelPtr>> Repository::read(const std::string& name, const std::optional<std::string>& config) {
  if (Status fitting = check_model_name(name); !fitting) {
    return fail(std::move(fitting.error()));
  }
  std::error_code error;
  if (!fs::is_directory(options_.root / name, error)) {
    return fail(Code::kNotFound,
                fmt::format("failed to load '{}', failed to poll from model repository: it has no such folder", name),
                "model");
  }
  return read_model(name, config);
}

std::map<std::string, std::uint64_t> Repository::stamps() {
  std::map<std::string, std::uint64_t> stamps;
  for (const std::string& name : names().value_or(std::vector<std::string>())) {
    stamps.emplace(name, stamp_of(options_.root / name));
  }
  return stamps;
}

void Repository::save_digests() {
  if (const auto saved = digests_.save(); !saved) {
    log_.warn("digests_not_saved", {{"reason", saved.error().message}});
  }
}

std::vector<ModelPtr> Repository::read_model(const std::string& name, const std::optional<std::string>& json) {
  const fs::path folder = options_.root / name;
  const auto config = read_config(folder, name, json);
  const auto policy = config ? config->config->version_policy() : inference::ModelVersionPolicy();
  const auto versions = chosen(versions_in(folder), policy);
  std::vector<ModelPtr> models;
  for (const std::int64_t version : versions) {
    auto model = std::make_shared<ModelVersion>();
    model->name = name;
    model->version = version;
    const fs::path version_folder = folder / std::to_string(version);
    const Status read = config ? read_version(version_folder, *config, options_, log_, digests_, tokenizers_, *model)
                               : Status(fail(config.error()));
    models.push_back(read ? ModelPtr(model) : unavailable(name, version, read.error()));
    if (!read) {
      log_.error("model_unavailable", {{"model", name}, {"version", version}, {"reason", read.error().message}});
    }
  }
  if (models.empty()) {
    Error reason = config ? Error{Code::kUnavailable,
                                  fmt::format("at least one version must be available under the version policy of "
                                              "model '{}'",
                                              name),
                                  "model"}
                          : config.error();
    log_.error("model_unavailable", {{"model", name}, {"reason", reason.message}});
    models.push_back(unavailable(name, 0, std::move(reason)));
  }
  return models;
}

}  // namespace shoal::models
