// One weight of a checkpoint, as it is stored: a matrix in its format's layout, a vector as floats.
#pragma once

#include <cstddef>
#include <span>

#include "engine/core/parallel.hpp"
#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"
#include "engine/import/recipe.hpp"
#include "engine/quantize/quantize.hpp"

namespace shoal::runtime {

// Follows the recipe row by row into `out`, which has graph::stored_bytes(tensor) bytes, zero, on a multiple of 64.
// A quantised source that has the format of the tensor keeps its codes and scales. `error`, where it is wanted, is what
// storing has changed. kPrecisionNotSupported for values that the format does not hold. Requires: check() has accepted
// the recipe, and its size is the tensor's.
Status make_weight(const graph::Tensor& tensor, const import::Recipe& recipe, const import::Checkpoint& checkpoint,
                   const quantize::Options& options, Parallel& parallel, std::span<std::byte> out,
                   quantize::StorageError* error = nullptr);

}  // namespace shoal::runtime
