// A package of the model repository out of a model's source: which version it becomes, and what is written. Blocks for
// as long as quantising takes.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "engine/core/parallel.hpp"
#include "engine/core/result.hpp"
#include "engine/package/description.hpp"
#include "engine/package/writer.hpp"
#include "engine/quantize/precision.hpp"
#include "server/app/model_source.hpp"

namespace shoal::app {

struct ImportRequest {
  std::filesystem::path source;
  std::string origin{};  // what the source is called in the package; empty: by its file or folder
  std::filesystem::path repository;
  std::string name;
  std::optional<std::int64_t> version{};  // unset: see version_for()
  std::string variant{};                  // empty: named by its bits
  bool is_default = false;                // it becomes the default variant; the first one always does
  quantize::PrecisionRequest precision{};
  bool has_block = false;  // else the block is chosen by the size of the model
  quantize::Options quantize{};
  std::function<void(const package::Progress&)> on_progress{};
};

struct Imported {
  std::filesystem::path folder;
  package::Description description;
  std::string variant;
};

// The formats that were asked for; a matrix whose source has codes of as many bits keeps them as they are.
Status choose_formats(archs::Model& model, const import::Checkpoint& checkpoint, quantize::PrecisionRequest request,
                      bool has_block);

// A model's source of the same contents gives another variant of its newest version; any other source gives the version
// after that. Nothing is changed unless all of it is written. kInvalidArgument names the option at fault.
Result<Imported> import_package(const ImportRequest& request, Parallel& parallel);

}  // namespace shoal::app
