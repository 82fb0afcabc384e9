// A version folder that holds a package (docs/packages.md): package.json, plans, shards of weights. Reads files.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"
#include "engine/package/description.hpp"
#include "server/models/digests.hpp"
#include "server/models/embedding_config.hpp"
#include "server/models/model.hpp"
#include "server/models/model_config.hpp"

namespace shoal::models {

bool is_package(const std::filesystem::path& folder);

// kNotFound when there is no package.json, kInvalidArgument names the field that is wrong.
Result<package::Description> read_description(const std::filesystem::path& folder);

// A variant's files, each as long as the package says and named by its contents.
struct PackageFiles {
  Blob plan_file;
  graph::Plan plan;
  std::vector<Blob> shards;  // in the order of the plan
};
// kNotFound and kInvalidArgument name the file.
Result<PackageFiles> read_package_files(const std::filesystem::path& folder, const package::Variant& variant,
                                        Digests& digests);

// Fills the model from the package and the configuration, as apply_model_config() does from a graph. The variant is
// that of `shoal_variant` in the configuration's parameters, else the package's default.
Status read_package_version(const std::filesystem::path& folder, ParsedConfig parsed, Digests& digests,
                            Tokenizers& tokenizers, ModelVersion& model);

}  // namespace shoal::models
