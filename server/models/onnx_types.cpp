#include "server/models/onnx_types.hpp"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace shoal::models {

std::optional<DataType> datatype_from_onnx(int element_type) {
  switch (element_type) {
    case onnx::TensorProto::BOOL:
      return DataType::kBool;
    case onnx::TensorProto::UINT8:
      return DataType::kUint8;
    case onnx::TensorProto::UINT16:
      return DataType::kUint16;
    case onnx::TensorProto::UINT32:
      return DataType::kUint32;
    case onnx::TensorProto::UINT64:
      return DataType::kUint64;
    case onnx::TensorProto::INT8:
      return DataType::kInt8;
    case onnx::TensorProto::INT16:
      return DataType::kInt16;
    case onnx::TensorProto::INT32:
      return DataType::kInt32;
    case onnx::TensorProto::INT64:
      return DataType::kInt64;
    case onnx::TensorProto::FLOAT16:
      return DataType::kFp16;
    case onnx::TensorProto::FLOAT:
      return DataType::kFp32;
    case onnx::TensorProto::DOUBLE:
      return DataType::kFp64;
    case onnx::TensorProto::STRING:
      return DataType::kBytes;
    case onnx::TensorProto::BFLOAT16:
      return DataType::kBf16;
    default:
      return std::nullopt;
  }
}

Result<TensorSignature> tensor_signature(const onnx::ValueInfoProto& value, std::string_view role) {
  if (!value.type().has_tensor_type()) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} '{}' is not a tensor, and only tensors can be served", role, value.name()));
  }
  const auto& type = value.type().tensor_type();
  const auto datatype = datatype_from_onnx(type.elem_type());
  if (!datatype) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} '{}' has the ONNX element type {}, which KServe has no name for", role, value.name(),
                            type.elem_type()));
  }
  TensorSignature out{.name = value.name(), .datatype = *datatype, .dims = {}, .dim_names = {}};
  if (!type.has_shape()) {
    out.has_rank = false;
    out.dims = {-1};
    out.dim_names = {""};
    return out;
  }
  for (const auto& dim : type.shape().dim()) {
    const bool is_fixed = dim.has_dim_value() && dim.dim_value() >= 0;
    out.dims.push_back(is_fixed ? dim.dim_value() : -1);
    out.dim_names.push_back(is_fixed ? std::string() : dim.dim_param());
  }
  return out;
}

}  // namespace shoal::models
