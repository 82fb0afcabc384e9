#include "server/models/plan_signature.hpp"

#include <algorithm>

namespace shoal::models {
namespace {

constexpr std::string_view kBatch = "batch";
constexpr std::string_view kTokens = "tokens";

TensorSignature tokens_signature(std::string name, bool is_optional) {
  return {.name = std::move(name),
          .datatype = DataType::kInt64,
          .dims = {-1, -1},
          .dim_names = {std::string(kBatch), std::string(kTokens)},
          .has_rank = true,
          .is_optional = is_optional};
}

// Of a model that generates.
TensorSignature single(std::string name, DataType datatype, bool is_optional) {
  return {.name = std::move(name),
          .datatype = datatype,
          .dims = {1},
          .dim_names = {""},
          .has_rank = true,
          .is_optional = is_optional};
}

}  // namespace

Result<GraphSignature> plan_signature(const graph::Plan& plan) {
  const graph::Signature* encode = plan.find("encode");
  if (encode == nullptr) {
    return fail(Code::kOperatorNotSupported, "the plan has no signature 'encode'");
  }
  GraphSignature out;
  out.inputs = {tokens_signature("input_ids", false), tokens_signature("attention_mask", true)};
  const bool has_types =
      std::ranges::any_of(encode->inputs, [&](graph::TensorId id) { return plan.tensors[id].name == "token_types"; });
  if (has_types) {
    out.inputs.push_back(tokens_signature("token_type_ids", true));
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
    out.inputs = {single("text_input", DataType::kBytes, false)};
    out.outputs = {single("text_output", DataType::kBytes, false)};
  } else {
    const TensorSignature tokens{.name = "tokens",
                                 .datatype = DataType::kInt32,
                                 .dims = {-1},
                                 .dim_names = {std::string(kTokens)},
                                 .has_rank = true};
    out.inputs = {tokens};
    out.outputs = {tokens};
  }
  out.inputs.push_back(single("stream", DataType::kBool, true));
  out.inputs.push_back(single("sampling_parameters", DataType::kBytes, true));
  out.inputs.push_back(single("exclude_input_in_output", DataType::kBool, true));
  out.inputs.push_back(single("stop", DataType::kBytes, true));
  out.inputs.back().dims = {-1};
  return out;
}

}  // namespace shoal::models
