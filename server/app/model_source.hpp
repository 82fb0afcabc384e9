// What a model is imported from, on this machine: a Hugging Face folder or a GGUF file. Files are mapped, not read.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/archs/build.hpp"
#include "engine/core/result.hpp"
#include "engine/import/source.hpp"
#include "engine/package/description.hpp"
#include "server/app/mapped_folder.hpp"

namespace shoal::app {

struct ModelSource {
  std::filesystem::path folder;         // where the files are
  std::unique_ptr<MappedFolder> files;  // outlives `source`
  import::Source source;
  archs::EmbeddingStyle style;
  package::Origin origin;  // its files without their hashes
  std::string licence;     // empty: it is not said

  // Reads no weights. Errors are those of archs::build_model().
  [[nodiscard]] Result<archs::Model> build();
  // Of its weights, as they are stored in it: those of a quantised file's codes, else 32.
  [[nodiscard]] std::uint32_t own_bits(const archs::Model& model) const;
};

// kNotFound when there is no such folder or file; else as import::open_folder() and import::open_gguf().
Result<ModelSource> open_source(const std::filesystem::path& path);

// `origin.files` with their hashes. Reads all of the weights, piece by piece. Errors are those of Digests.
Result<std::vector<package::FileEntry>> hashed_files(const ModelSource& source);

}  // namespace shoal::app
