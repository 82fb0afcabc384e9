// The formats of a plan's matrices, by what was asked for. Vectors (norms, biases) are stored as floats.
#pragma once

#include "engine/archs/model.hpp"
#include "engine/core/result.hpp"
#include "engine/import/checkpoint.hpp"
#include "engine/quantize/precision.hpp"

namespace shoal::package {

// Elements of all weights.
std::uint64_t parameters_of(const graph::Plan& plan);

// Sets the format of each matrix. Rules of the request match a weight by its role, by its name in the plan or by the
// name of any tensor of the checkpoint that it is made of. Errors are those of quantize::plan_precision().
Status choose_formats(archs::Model& model, const quantize::PrecisionRequest& request);

}  // namespace shoal::package
