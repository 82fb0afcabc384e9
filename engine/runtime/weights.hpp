// The weights of a plan in memory, in the formats that the plan names: matrices in the layout of
// engine/formats/block_format.hpp, vectors as floats. Immutable once made; any number of executors may read it.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/aligned_bytes.hpp"
#include "engine/core/parallel.hpp"
#include "engine/core/result.hpp"
#include "engine/formats/block_format.hpp"
#include "engine/graph/plan.hpp"
#include "engine/import/recipe.hpp"
#include "engine/quantize/quantize.hpp"

namespace shoal::runtime {

class Weights {
 public:
  // Makes every weight of a checkpoint, following its recipe. kPrecisionNotSupported for values that a format does not
  // hold, kResourceLimit when memory runs out. Requires: check() has accepted each recipe.
  static Result<Weights> make(const graph::Plan& plan, const std::vector<import::Recipe>& recipes,
                              const import::Checkpoint& checkpoint, const quantize::Options& options,
                              Parallel& parallel);

  // Requires: a weight of rank 2.
  [[nodiscard]] const formats::BlockMatrix& matrix(graph::TensorId id) const { return weights_[id].matrix; }
  // Requires: a weight of rank 1.
  [[nodiscard]] const float* vector(graph::TensorId id) const { return weights_[id].memory.floats(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  struct Weight {
    AlignedBytes memory;
    formats::BlockMatrix matrix;
  };
  static Result<Weight> make_one(const graph::Tensor& tensor, const import::Recipe& recipe,
                                 const import::Checkpoint& checkpoint, const quantize::Options& options,
                                 Parallel& parallel);

  std::vector<Weight> weights_;  // by tensor
  std::uint64_t bytes_ = 0;
};

}  // namespace shoal::runtime
