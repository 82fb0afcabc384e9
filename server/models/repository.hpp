// The model repository on disk: <root>/<name>/config.pbtxt (optional) and <root>/<name>/<version>/model.onnx with its
// external data and, for embedding models, tokenizer.json and the sentence-transformers files beside it; or a package
// (package_version.hpp), where there is a package.json.
// Not thread-safe: one call at a time, on any thread but a network lane (it reads and hashes files). Snapshots are.
// No file in the repository can make it fail or throw: a bad model is kUnavailable with the reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "server/core/backend.hpp"
#include "server/core/log.hpp"
#include "server/models/digests.hpp"
#include "server/models/embedding_config.hpp"
#include "server/models/model.hpp"

namespace shoal::models {

struct RepositoryOptions {
  std::filesystem::path root;   // SHOAL_HOME/models
  std::filesystem::path store;  // SHOAL_HOME/store: digests.json lives here; empty = digests are not kept
  bool has_echo = false;        // models of the echo backend are served
  std::vector<Backend> default_backends = {Backend::kWasm, Backend::kWebgpu, Backend::kWebnn};
};

class Repository {
 public:
  Repository(RepositoryOptions options, Log log);

  // The models that have a folder, ascending; nothing of them is read. kNotFound when the root is not a folder.
  Result<std::vector<std::string>> names();
  // Reads one model again: each version that its policy chooses, readable or not. `config`: a model configuration as
  // JSON in place of config.pbtxt. kInvalidArgument for what is no name, kNotFound when there is no such folder.
  Result<std::vector<ModelPtr>> read(const std::string& name, const std::optional<std::string>& config = {});
  // By model, a number that is another once any file of it has another size or time.
  std::map<std::string, std::uint64_t> stamps();
  // Keeps what was hashed for the next start.
  void save_digests();

 private:
  std::vector<ModelPtr> read_model(const std::string& name, const std::optional<std::string>& json);

  RepositoryOptions options_;
  Log log_;
  Digests digests_;
  Tokenizers tokenizers_;
  std::set<std::string> ignored_;  // folders that were complained of
};

// A version that is known and not served, and why.
ModelPtr unavailable(const std::string& name, std::int64_t version, Error error);

// With the files of its ready versions; `also` are files that browsers may fetch besides.
SnapshotPtr make_snapshot(decltype(Snapshot::models) models, std::span<const Blob> also = {});

// The files of a version, the graph first.
std::vector<Blob> blobs_of(const ModelVersion& model);

}  // namespace shoal::models
