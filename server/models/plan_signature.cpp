#include "server/models/plan_signature.hpp"

#include <algorithm>

namespace shoal::models {
namespace {

constexpr std::string_view kBatch = "batch";
constexpr std::string_view kTokens = "tokens";

TensorSignature tokens_signature(std::string name) {
  return {.name = std::move(name),
          .datatype = DataType::kInt64,
          .dims = {-1, -1},
          .dim_names = {std::string(kBatch), std::string(kTokens)}};
}

}  // namespace

Result<GraphSignature> plan_signature(const graph::Plan& plan) {
  const graph::Signature* encode = plan.find("encode");
  if (encode == nullptr) {
    return fail(Code::kOperatorNotSupported, "the plan has no signature 'encode'");
  }
  GraphSignature out;
  out.inputs = {tokens_signature("input_ids"), tokens_signature("attention_mask")};
  const bool has_types =
      std::ranges::any_of(encode->inputs, [&](graph::TensorId id) { return plan.tensors[id].name == "token_types"; });
  if (has_types) {
    out.inputs.push_back(tokens_signature("token_type_ids"));
  }
  for (const graph::Output& output : encode->outputs) {
    const graph::Shape& shape = plan.tensors[output.tensor].shape;
    TensorSignature signature{.name = output.name, .datatype = DataType::kFp32, .dims = {-1}, .dim_names = {"batch"}};
    if (shape[0].symbol != graph::Symbol::kRows) {
      signature.dims.push_back(-1);
      signature.dim_names.emplace_back(kTokens);
    }
    signature.dims.push_back(shape[1].size);
    signature.dim_names.emplace_back();
    out.outputs.push_back(std::move(signature));
  }
  return out;
}

GraphSignature generation_signature(bool has_tokenizer) {
  GraphSignature out;
  if (has_tokenizer) {
    out.inputs = {{.name = "text_input", .datatype = DataType::kBytes, .dims = {1}, .dim_names = {""}}};
    out.outputs = {{.name = "text_output", .datatype = DataType::kBytes, .dims = {1}, .dim_names = {""}}};
  } else {
    const TensorSignature tokens{
        .name = "tokens", .datatype = DataType::kInt32, .dims = {-1}, .dim_names = {std::string(kTokens)}};
    out.inputs = {tokens};
    out.outputs = {tokens};
  }
  return out;
}

}  // namespace shoal::models
