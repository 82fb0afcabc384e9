#include "server/api/kserve/generate_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/wire/generate_json.hpp"

namespace shoal::api::kserve {
namespace {

Status give_shape(const models::ModelVersion& model, Tensor& tensor) {
  const models::TensorSignature& signature = *model.input(tensor.name);
  if (!signature.has_rank) {
    return {};
  }
  const auto wrong = [&](std::string_view why) {
    return fail(Code::kInvalidArgument, fmt::format("input '{}' {}", tensor.name, why), tensor.name);
  };
  const std::int64_t count = tensor.shape.front();
  Shape shape = signature.dims;
  if (model.max_batch_size > 0 && !shape.empty()) {
    shape.front() = 1;
  }
  if (std::ranges::count(shape, -1) > 1) {
    return wrong("has more than one open dimension, which a flat array does not tell: use infer");
  }
  if (const auto open = std::ranges::find(shape, -1); open != shape.end()) {
    *open = 1;
    const auto others = element_count(shape, tensor.name);
    if (!others || *others == 0 || static_cast<std::uint64_t>(count) % *others != 0) {
      return wrong(fmt::format("has {} elements, which is no multiple of {}", count, others.value_or(0)));
    }
    *open = count / static_cast<std::int64_t>(*others);
  }
  tensor.shape = std::move(shape);
  return {};
}

}  // namespace

Result<GenerateCall> parse_generate(const models::ModelVersion& model, std::string_view body,
                                    std::size_t max_tensor_bytes) {
  for (const models::TensorSignature& output : model.outputs) {
    if (output.name == "id" || output.name == "model_name" || output.name == "model_version") {
      return fail(Code::kInvalidArgument,
                  fmt::format("output '{}' has the name of another member of the answer: use infer", output.name),
                  output.name);
    }
    if (output.datatype == DataType::kFp16 || output.datatype == DataType::kBf16) {
      return fail(Code::kInvalidArgument,
                  fmt::format("output '{}' is of {}, which JSON cannot say: use infer with binary data", output.name,
                              datatype_name(output.datatype)),
                  output.name);
    }
  }
  const auto type_of = [&](std::string_view name) {
    const models::TensorSignature* input = model.input(name);
    return input == nullptr ? std::nullopt : std::optional(input->datatype);
  };
  auto parsed = wire::parse_generate(body, type_of, max_tensor_bytes);
  if (!parsed) {
    return fail(std::move(parsed.error()));
  }
  for (Tensor& tensor : parsed->inputs) {
    if (Status status = give_shape(model, tensor); !status) {
      return fail(std::move(status.error()));
    }
  }
  GenerateCall call;
  call.id = std::move(parsed->id);
  call.call.parameters = std::move(parsed->parameters);
  call.call.inputs = std::move(parsed->inputs);
  return call;
}

Result<std::string> write_generate(const models::ModelVersion& model, std::string_view id,
                                   const dispatch::InferenceResponse& response) {
  const std::string version = std::to_string(model.version);
  return wire::write_generate({.model = model.name,
                               .version = version,
                               .id = id,
                               .parameters = answer_parameters(response),
                               .outputs = response.outputs,
                               .binary = {}});
}

}  // namespace shoal::api::kserve
