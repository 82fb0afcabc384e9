#include "server/api/grpc/infer_messages.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace shoal::api::grpc {
namespace {

using inference::InferParameter;
using inference::InferTensorContents;
using inference::ModelInferRequest;

Result<wire::Parameter> take_parameter(const std::string& name, const InferParameter& parameter) {
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return parameter.bool_param();
    case InferParameter::kInt64Param:
      return parameter.int64_param();
    case InferParameter::kStringParam:
      return parameter.string_param();
    case InferParameter::kDoubleParam:
      return parameter.double_param();
    case InferParameter::kUint64Param:
      return parameter.uint64_param();
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return fail(Code::kInvalidArgument, fmt::format("parameter '{}' has no value", name), name);
}

template <class Value, class Field>
Status append_all(const Field& field, Tensor& tensor) {
  tensor.data.reserve(static_cast<std::size_t>(field.size()) * sizeof(Value));
  for (const auto element : field) {
    if (!std::in_range<Value>(element)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("input '{}' has the element {}, which is no {}", tensor.name, element,
                              datatype_name(tensor.datatype)),
                  tensor.name);
    }
    const auto value = static_cast<Value>(element);
    tensor.data.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return {};
}

template <class Field>
Status append_as_is(const Field& field, Tensor& tensor) {
  const std::size_t size = static_cast<std::size_t>(field.size()) * sizeof(*field.data());
  tensor.data.assign(reinterpret_cast<const char*>(field.data()), size);
  return {};
}

Status append_texts(const InferTensorContents& contents, Tensor& tensor) {
  for (const std::string& element : contents.bytes_contents()) {
    const auto size = static_cast<std::uint32_t>(element.size());
    tensor.data.append(reinterpret_cast<const char*>(&size), sizeof(size));
    tensor.data += element;
  }
  return {};
}

// The field that the datatype is said in, so that another one that is filled is noticed.
int typed_count(const InferTensorContents& contents, DataType type) {
  switch (type) {
    case DataType::kBool:
      return contents.bool_contents_size();
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      return contents.int_contents_size();
    case DataType::kInt64:
      return contents.int64_contents_size();
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
      return contents.uint_contents_size();
    case DataType::kUint64:
      return contents.uint64_contents_size();
    case DataType::kFp32:
      return contents.fp32_contents_size();
    case DataType::kFp64:
      return contents.fp64_contents_size();
    case DataType::kBytes:
      return contents.bytes_contents_size();
    case DataType::kFp16:
    case DataType::kBf16:
      break;
  }
  return 0;
}

int total_count(const InferTensorContents& contents) {
  return contents.bool_contents_size() + contents.int_contents_size() + contents.int64_contents_size() +
         contents.uint_contents_size() + contents.uint64_contents_size() + contents.fp32_contents_size() +
         contents.fp64_contents_size() + contents.bytes_contents_size();
}

Status append_contents(const InferTensorContents& contents, Tensor& tensor) {
  const DataType type = tensor.datatype;
  if (type == DataType::kFp16 || type == DataType::kBf16) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} has no typed contents: send input '{}' in raw_input_contents", datatype_name(type),
                            tensor.name),
                tensor.name);
  }
  if (typed_count(contents, type) != total_count(contents)) {
    return fail(Code::kInvalidArgument,
                fmt::format("unexpected explicit tensor data for input tensor '{}' of type {}", tensor.name,
                            datatype_name(type)),
                tensor.name);
  }
  switch (type) {
    case DataType::kBool:
      return append_as_is(contents.bool_contents(), tensor);
    case DataType::kInt8:
      return append_all<std::int8_t>(contents.int_contents(), tensor);
    case DataType::kInt16:
      return append_all<std::int16_t>(contents.int_contents(), tensor);
    case DataType::kInt32:
      return append_as_is(contents.int_contents(), tensor);
    case DataType::kInt64:
      return append_as_is(contents.int64_contents(), tensor);
    case DataType::kUint8:
      return append_all<std::uint8_t>(contents.uint_contents(), tensor);
    case DataType::kUint16:
      return append_all<std::uint16_t>(contents.uint_contents(), tensor);
    case DataType::kUint32:
      return append_as_is(contents.uint_contents(), tensor);
    case DataType::kUint64:
      return append_as_is(contents.uint64_contents(), tensor);
    case DataType::kFp32:
      return append_as_is(contents.fp32_contents(), tensor);
    case DataType::kFp64:
      return append_as_is(contents.fp64_contents(), tensor);
    case DataType::kBytes:
      return append_texts(contents, tensor);
    case DataType::kFp16:
    case DataType::kBf16:
      break;
  }
  return {};
}

Result<Tensor> take_input(ModelInferRequest& request, int index) {
  const auto& input = request.inputs(index);
  const auto type = datatype_from(input.datatype());
  if (!type) {
    return fail(Code::kInvalidArgument,
                fmt::format("input '{}' has the unknown datatype '{:.40}'", input.name(), input.datatype()),
                input.name());
  }
  if (input.parameters().contains("shared_memory_region")) {
    return fail(Code::kInvalidArgument,
                fmt::format("input '{}' names a shared memory region; this server has none", input.name()),
                input.name());
  }
  Tensor tensor{
      .name = input.name(), .datatype = *type, .shape = Shape(input.shape().begin(), input.shape().end()), .data = {}};
  const bool is_raw = request.raw_input_contents_size() > 0;
  if (is_raw && input.has_contents()) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("contents field must not be specified when using raw_input_contents for '{}' for model '{}'",
                    input.name(), request.model_name()),
        input.name());
  }
  if (is_raw) {
    tensor.data = std::move(*request.mutable_raw_input_contents(index));
    return tensor;
  }
  if (!input.has_contents()) {
    return fail(Code::kInvalidArgument,
                fmt::format("unable to find data for input tensor '{}' for model '{}' in request.", input.name(),
                            request.model_name()),
                input.name());
  }
  if (Status status = append_contents(input.contents(), tensor); !status) {
    return fail(std::move(status.error()));
  }
  return tensor;
}

void set_parameter(const wire::Parameter& value, InferParameter& parameter) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    parameter.set_bool_param(*flag);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    parameter.set_int64_param(*integer);
  } else if (const auto* natural = std::get_if<std::uint64_t>(&value)) {
    parameter.set_uint64_param(*natural);
  } else if (const auto* real = std::get_if<double>(&value)) {
    parameter.set_double_param(*real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    parameter.set_string_param(*text);
  }
}

}  // namespace

Result<kserve::InferCall> take_call(ModelInferRequest& request) {
  kserve::InferCall call;
  const int raw_count = request.raw_input_contents_size();
  if (raw_count > 0 && raw_count != request.inputs_size()) {
    return fail(Code::kInvalidArgument, fmt::format("expected {} raw_input_contents, one per input, but got {}",
                                                    request.inputs_size(), raw_count));
  }
  for (const auto& [name, parameter] : request.parameters()) {
    auto value = take_parameter(name, parameter);
    if (!value) {
      return fail(std::move(value.error()));
    }
    call.parameters.emplace(name, std::move(*value));
  }
  for (int index = 0; index < request.inputs_size(); ++index) {
    auto tensor = take_input(request, index);
    if (!tensor) {
      return fail(std::move(tensor.error()));
    }
    call.inputs.push_back(std::move(*tensor));
  }
  for (const auto& output : request.outputs()) {
    for (const auto& [name, parameter] : output.parameters()) {
      if (name == "classification") {
        const auto value = take_parameter(name, parameter);
        const Status status = value ? kserve::add_classes(output.name(), *value, call.classes) : fail(value.error());
        if (!status) {
          return fail(status.error());
        }
      } else if (name.starts_with("shared_memory_")) {
        return fail(Code::kInvalidArgument,
                    fmt::format("output '{}' asks for '{}', which this server does not offer", output.name(), name),
                    output.name());
      }
    }
    call.outputs.push_back(output.name());
  }
  return call;
}

void fill_answer(const models::ModelVersion& model, const std::string& id, dispatch::InferenceResponse response,
                 inference::ModelInferResponse& answer) {
  answer.set_model_name(model.name);
  answer.set_model_version(std::to_string(model.version));
  answer.set_id(id);
  for (const auto& [name, value] : kserve::answer_parameters(response)) {
    set_parameter(value, (*answer.mutable_parameters())[name]);
  }
  for (Tensor& tensor : response.outputs) {
    auto& output = *answer.add_outputs();
    output.set_name(std::move(tensor.name));
    output.set_datatype(std::string(datatype_name(tensor.datatype)));
    output.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    answer.add_raw_output_contents(std::move(tensor.data));
  }
}

}  // namespace shoal::api::grpc
