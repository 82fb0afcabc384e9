// Packages of small models of random weights, written to a folder.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "engine/package/precision_of.hpp"
#include "engine/package/writer.hpp"
#include "server/models/package_folder.hpp"
#include "tests/engine/support/small_models.hpp"

namespace shoal::models {

// The description of a package with one variant "q4", as it was written to <repository>/<name>/1.
inline package::Description write_package(const std::filesystem::path& repository, const std::string& name,
                                          test::SmallModel small) {
  Serial serial;
  EXPECT_TRUE(package::choose_formats(small.model, {.bits = 4, .block = 16}));
  auto folder = PackageFolder::create(repository, name, 1).value();
  auto variant = package::write_variant(small.model, small.checkpoint, {}, serial, *folder).value();
  variant.name = "q4";
  variant.bits = 4;
  package::Description out{.name = name,
                           .model_class = small.model.facts.model_class,
                           .architecture = small.model.plan.architecture,
                           .vocabulary = 50,
                           .context = small.model.facts.max_positions,
                           .variants = {std::move(variant)},
                           .default_variant = "q4"};
  if (out.model_class == archs::ModelClass::kEncoder) {
    out.embedding = package::Embedding{.output = "embedding", .width = 16, .pooling = "mean"};
  }
  EXPECT_TRUE(folder->put("package.json", package::write_description(out)));
  const auto kept = folder->keep();
  EXPECT_TRUE(kept) << kept.error().message;
  return out;
}

}  // namespace shoal::models
