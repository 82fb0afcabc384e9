// KServe's classification extension: an output that is answered as its k largest values, each with its index and its
// label. Pure; large outputs take milliseconds, which is no work for the main lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/core/tensor.hpp"
#include "server/models/model.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::api::kserve {

// How many classes are wanted (> 0), by output.
using Classes = std::map<std::string, std::int64_t, std::less<>>;

// The parameter `classification` of a requested output. kInvalidArgument unless it is an integer > 0.
Status add_classes(std::string_view output, const wire::Parameter& count, Classes& classes);

// kInvalidArgument naming the output that is of BOOL or BYTES, which have no largest value.
// Requires: models::validate() has accepted the outputs.
Status check_classes(const models::ModelVersion& model, const Classes& classes);

// Of all outputs of one answer together.
inline constexpr std::size_t kMaxClassBytes = std::size_t{64} << 20;

// Makes BYTES of every output that is named: shape [rows, n] where the model has a batch dimension, else [n], with
// n = min(wanted, elements of a row). Elements are "value:index" or "value:index:label", the largest value first, equal
// ones by index, NaN last; floating point as printf's %f. kResourceLimit above kMaxClassBytes; kInternal when an
// output's bytes are not those of its shape.
Status classify(const models::ModelVersion& model, const Classes& classes, std::span<Tensor> outputs);

}  // namespace shoal::api::kserve
