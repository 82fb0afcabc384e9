// The weights of a plan in memory, in the formats that the plan names: matrices in the layout of
// engine/formats/block_format.hpp, vectors as floats. Immutable once made; any number of executors may read it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/aligned_bytes.hpp"
#include "engine/core/bytes.hpp"
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

  // The weights of a package where they lie: one span for each of the plan's shards, in their order, on a multiple of
  // 64 bytes, that outlives the result and every executor that reads it. Nothing is copied. kInvalidArgument names the
  // shard that is missing, of another size or not aligned. Requires: verify() has accepted the plan.
  static Result<Weights> place(const graph::Plan& plan, std::span<const Bytes> shards);

  // Requires: a weight of rank 2.
  [[nodiscard]] const formats::BlockMatrix& matrix(graph::TensorId id) const { return weights_[id].matrix; }
  // Requires: a weight of rank 1.
  [[nodiscard]] const float* vector(graph::TensorId id) const { return weights_[id].vector; }
  // In the formats of the plan, whether made or placed.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  struct Weight {
    AlignedBytes memory;
    formats::BlockMatrix matrix;
    const float* vector = nullptr;
  };
  static Result<Weight> make_one(const graph::Tensor& tensor, const import::Recipe& recipe,
                                 const import::Checkpoint& checkpoint, const quantize::Options& options,
                                 Parallel& parallel);
  // `data` is the stored weight.
  static Status place_one(const graph::Tensor& tensor, Bytes data, Weight& weight);

  std::vector<Weight> weights_;  // by tensor
  std::uint64_t bytes_ = 0;
};

}  // namespace shoal::runtime
