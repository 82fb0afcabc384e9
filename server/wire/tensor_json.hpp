// A tensor's elements as JSON and back. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "engine/core/result.hpp"
#include "server/core/tensor.hpp"
#include "server/wire/json_reader.hpp"

namespace shoal::wire {

// Nested or flat arrays of elements, in row-major order, to the end of the tensor's data. kInvalidArgument naming the
// tensor when an element is none of its datatype, when JSON cannot say that (FP16, BF16), or above `max_bytes`.
Status read_data(JsonReader& reader, Tensor& tensor, std::size_t max_bytes);
// The same, or one element that stands alone.
Status read_value(JsonReader& reader, Tensor& tensor, std::size_t max_bytes);

// The elements with commas between them. kInvalidArgument as write_infer().
Status append_data(std::string& out, const Tensor& tensor);

}  // namespace shoal::wire
