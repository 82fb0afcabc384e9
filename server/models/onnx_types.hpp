// ONNX element types and value descriptions in the terms of KServe v2. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/models/model.hpp"

namespace onnx {
class ValueInfoProto;
}

namespace shoal::models {

// nullopt: complex numbers, 8-bit floats and the like, which have no KServe name.
std::optional<DataType> datatype_from_onnx(int element_type);

// kInvalidArgument, naming the tensor: a sequence, map or optional; an element type that has no KServe name.
Result<TensorSignature> tensor_signature(const onnx::ValueInfoProto& value, std::string_view role);

}  // namespace shoal::models
