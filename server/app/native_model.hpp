// A model in memory, to be run on this machine: a package, or a source whose weights are stored as they would be in
// one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "engine/archs/model.hpp"
#include "engine/core/parallel.hpp"
#include "engine/core/result.hpp"
#include "engine/package/description.hpp"
#include "engine/runtime/weights.hpp"
#include "server/app/mapped_folder.hpp"

namespace shoal::app {

struct NativeModel {
  std::unique_ptr<MappedFolder> files;  // of a package: where the weights lie
  graph::Plan plan;
  runtime::Weights weights;
  archs::Facts facts;
  std::uint32_t bits = 0;
  std::string variant;  // of a package
  // Texts, empty where there is none.
  std::string tokenizer;
  std::string tokenizer_config;
  std::string chat_template;
};

struct NativeRequest {
  std::string model;                    // folder, GGUF file, or the name of a package in the repository
  std::filesystem::path home;           // SHOAL_HOME: its models, and the digests of their files
  std::optional<std::uint32_t> bits{};  // of a package: the variant that has them; else those of the source
};

// The folder of the package that `model` names; empty when it is a source, of which a package could be made. kNotFound
// when it is nothing.
Result<std::filesystem::path> find_package(const std::string& model, const std::filesystem::path& home);
// The variant that has these bits, else the default one. kNotFound.
Result<const package::Variant*> variant_of(const package::Description& description, std::optional<std::uint32_t> bits);

// Stays where it is: executors refer to it. kNotFound when there is no such model or variant; else as
// read_package_files(), archs::build_model() and runtime::Weights.
Result<std::unique_ptr<NativeModel>> load_native(const NativeRequest& request, Parallel& parallel);

}  // namespace shoal::app
