// What requests of a plan look like. Pure.
#pragma once

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"
#include "server/models/onnx_signature.hpp"

namespace shoal::models {

// Of an encoder: padded batches, which the engine packs by their mask.
// input_ids and attention_mask [batch, tokens] as INT64, token_type_ids where the plan tells segments apart; outputs by
// the plan's names, [batch, width] of those that have a row for each sequence, else [batch, tokens, width], all FP32.
// kOperatorNotSupported when the plan has no signature `encode`.
Result<GraphSignature> plan_signature(const graph::Plan& plan);

// Of a model that generates: text_input and text_output, BYTES [1] both; without a tokenizer `tokens`, INT32 [n], in
// and out.
GraphSignature generation_signature(bool has_tokenizer);

}  // namespace shoal::models
