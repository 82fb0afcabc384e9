// The words in which an architecture is written: layers by the names of their tensors in the checkpoint. A tensor that
// is not there, or of a shape that does not fit, is reported by finish() under its name.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "engine/archs/model.hpp"
#include "engine/graph/builder.hpp"
#include "engine/import/checkpoint.hpp"
#include "engine/import/config.hpp"

namespace shoal::archs {

using graph::Activation;
using graph::kNoTensor;
using graph::TensorId;
using Names = std::vector<std::string>;

struct LinearOptions {
  Activation activation = Activation::kNone;
  TensorId residual = kNoTensor;
  bool transposed = false;  // the checkpoint has [K, N]
};

struct EmbeddingOptions {
  float scale = 1;
  std::uint32_t offset = 0;
  TensorId addend = kNoTensor;
};

struct RmsOptions {
  float factor = 1;
  float offset = 0;         // the gain is weight * factor + offset
  std::uint32_t width = 0;  // of a group of columns; 0 is all
};

class Assembly {
 public:
  // Both outlive it.
  Assembly(import::Config& config, const import::Checkpoint& checkpoint);

  // The first prefix under which the checkpoint has `tensor`; the first one when none does.
  [[nodiscard]] std::string prefix_of(std::initializer_list<std::string_view> prefixes, std::string_view tensor) const;
  [[nodiscard]] bool has(const std::string& tensor) const { return checkpoint_.find(tensor) != nullptr; }

  // A whole tensor as a weight.
  TensorId vector(const std::string& tensor);
  TensorId matrix(const std::string& tensor);
  // Numbers that the architecture computes, under a name of their own.
  TensorId numbers(std::string name, std::vector<float> values);

  TensorId embedding(std::string_view input, const std::string& table, const EmbeddingOptions& options = {});
  // name + ".weight" and, where it is there, name + ".bias"; of several names one matrix, one below the other.
  TensorId linear(TensorId x, const Names& names, const LinearOptions& options = {});
  // With a weight and a bias that were made before.
  TensorId linear_of(TensorId x, TensorId weight, TensorId bias, const LinearOptions& options = {});
  // Rows of name + ".weight" and of its bias in another order: pairs of first row and count.
  TensorId linear_reordered(TensorId x, const std::string& name,
                            const std::vector<std::pair<std::uint32_t, std::uint32_t>>& rows);
  TensorId layer_norm(TensorId x, const std::string& name, float epsilon);
  TensorId rms_norm(TensorId x, const std::string& name, float epsilon, const RmsOptions& options = {});

  // Rows of a table in the checkpoint, 0 when it is not there.
  [[nodiscard]] std::uint32_t rows_of(const std::string& tensor) const;

  // kOperatorNotSupported: the configuration asks for something that this architecture does not do.
  void unsupported(std::string_view key, std::string_view value);

  Result<Model> finish(Facts facts);

  graph::Builder graph;
  import::Config& config;

 private:
  TensorId weight(std::string name, Result<import::Recipe> recipe, bool is_vector);
  Result<import::Recipe> stacked(const Names& names, std::string_view suffix, bool transposed) const;

  const import::Checkpoint& checkpoint_;
  std::vector<import::Recipe> recipes_;
};

// The function that a configuration calls `name`; reports an unknown one as unsupported.
Activation activation_of(Assembly& assembly, std::string_view key, std::string_view otherwise);

}  // namespace shoal::archs
