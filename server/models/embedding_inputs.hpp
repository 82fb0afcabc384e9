// Token rows to the tensors of an encoder graph. Pure.
#pragma once

#include <span>
#include <vector>

#include "server/core/tensor.hpp"
#include "server/models/model.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::models {

// input_ids, attention_mask and, where the graph has it, token_type_ids: [rows, longest row], padded on the right with
// the model's padding id, mask 0 and type 0, as INT64 or INT32 as the graph says.
// kInvalidArgument: no rows, or an empty row. kContextLengthExceeded: a row above the model's max_tokens.
// Requires: model.embedding.
Result<std::vector<Tensor>> build_embedding_inputs(const ModelVersion& model, std::span<const text::Tokens> rows);

}  // namespace shoal::models
