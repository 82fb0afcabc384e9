#include "server/models/embedding_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace shoal::models {
namespace {

// One row-major [rows, length] tensor; `value` gives the element of a row at a position inside it, `padding` what
// follows.
template <class Value>
Tensor fill(const TensorSignature& signature, std::span<const text::Tokens> rows, std::size_t length,
            std::int64_t padding, Value value) {
  Tensor tensor{.name = signature.name,
                .datatype = signature.datatype,
                .shape = {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(length)},
                .data = {}};
  const std::size_t size = datatype_size(signature.datatype);
  tensor.data.resize(rows.size() * length * size);
  char* target = tensor.data.data();
  for (const text::Tokens& row : rows) {
    for (std::size_t position = 0; position < length; ++position, target += size) {
      // Little-endian: the low four bytes of the INT64 are the INT32.
      const std::int64_t element = position < row.ids.size() ? value(row, position) : padding;
      std::memcpy(target, &element, size);
    }
  }
  return tensor;
}

}  // namespace

Result<std::vector<Tensor>> build_embedding_inputs(const ModelVersion& model, std::span<const text::Tokens> rows) {
  const EmbeddingConfig& embedding = *model.embedding;
  if (rows.empty()) {
    return fail(Code::kInvalidArgument, "input must not be empty", "input");
  }
  std::size_t length = 0;
  for (const text::Tokens& row : rows) {
    if (row.ids.empty()) {
      return fail(Code::kInvalidArgument, "input must not be empty", "input");
    }
    if (row.ids.size() > embedding.max_tokens) {
      return fail(
          Code::kContextLengthExceeded,
          fmt::format("This model's maximum context length is {} tokens, however you requested {} tokens. Please "
                      "reduce the length of the input.",
                      embedding.max_tokens, row.ids.size()),
          "input");
    }
    length = std::max(length, row.ids.size());
  }
  std::vector<Tensor> inputs;
  for (const TensorSignature& signature : model.inputs) {
    if (signature.name == "input_ids") {
      inputs.push_back(
          fill(signature, rows, length, embedding.pad_id,
               [](const text::Tokens& row, std::size_t position) { return std::int64_t{row.ids[position]}; }));
    } else if (signature.name == "attention_mask") {
      inputs.push_back(
          fill(signature, rows, length, 0, [](const text::Tokens&, std::size_t) { return std::int64_t{1}; }));
    } else {
      inputs.push_back(fill(signature, rows, length, 0, [](const text::Tokens& row, std::size_t position) {
        return position < row.type_ids.size() ? std::int64_t{row.type_ids[position]} : 0;
      }));
    }
  }
  return inputs;
}

}  // namespace shoal::models
