// Writes the ONNX graph of a BERT encoder from a Hugging Face folder (config.json, model.safetensors in F32, F16 or
// BF16). The graph is float32, opset 17, with open dimensions batch_size and sequence_length:
//   input_ids, attention_mask, token_type_ids  INT64 [batch_size, sequence_length]
//   last_hidden_state                          FP32  [batch_size, sequence_length, hidden_size]
// Attention, GELU and mask have the form that exporters give them, which the runtimes' fusions look for. The same
// folder always gives the same bytes. Nothing is written on failure: files appear by rename.
#pragma once

#include <filesystem>

#include "engine/core/result.hpp"

namespace shoal::models {

// kNotFound: a file is missing. kInvalidArgument: it is damaged, or the weights do not fit config.json.
// kOperatorNotSupported: another architecture, activation or position embedding; the message names it.
Status import_bert(const std::filesystem::path& folder, const std::filesystem::path& out_onnx);

// A version folder of the model repository that serves embeddings: the graph as model.onnx, and copies of
// tokenizer.json, config.json and the sentence-transformers files. `version_folder` must not exist; it appears complete
// or not at all.
Status import_sentence_encoder(const std::filesystem::path& folder, const std::filesystem::path& version_folder);

}  // namespace shoal::models
