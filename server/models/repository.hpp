// The model repository on disk: <root>/<name>/config.pbtxt (optional) and <root>/<name>/<version>/model.onnx with its
// external data and, for embedding models, tokenizer.json and the sentence-transformers files beside it.
// Not thread-safe: call scan() from one thread (it reads and hashes files, so not from a network lane). Snapshots are.
// No file in the repository can make scan() fail or throw: a bad model is kUnavailable with the reason.
#pragma once

#include <filesystem>
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
  std::vector<Backend> default_backends = {Backend::kWasm, Backend::kWebgpu, Backend::kWebnn};
};

class Repository {
 public:
  Repository(RepositoryOptions options, Log log);

  // Reads everything again. kNotFound when the root is not a folder.
  Result<SnapshotPtr> scan();

 private:
  std::vector<ModelPtr> read_model(const std::string& name);

  RepositoryOptions options_;
  Log log_;
  Digests digests_;
  Tokenizers tokenizers_;
};

}  // namespace shoal::models
