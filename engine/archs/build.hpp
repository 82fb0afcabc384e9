// From a Hugging Face directory to a model: config.json names the architecture, a builder in this folder assembles it.
#pragma once

#include <string_view>
#include <vector>

#include "engine/archs/model.hpp"
#include "engine/import/checkpoint.hpp"
#include "engine/import/config.hpp"

namespace shoal::archs {

// How a sentence encoder makes one vector of its tokens: output "embedding" of encoders without a head.
struct EmbeddingStyle {
  graph::Pooling pooling = graph::Pooling::kMean;
  bool is_normalized = true;
};

// The model_type names that are known.
std::vector<std::string_view> known_architectures();

// kOperatorNotSupported when the model_type or something it asks for is not known; kInvalidArgument and kNotFound name
// the key of the configuration or the tensor at fault. `generation` is generation_config.json, or nullptr.
Result<Model> build_model(import::Config config, import::Config* generation, const import::Checkpoint& checkpoint,
                          const EmbeddingStyle& style = {});

}  // namespace shoal::archs
