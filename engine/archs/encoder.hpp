// Blocks of encoders of the BERT family: the layer with its norms behind the sums, and the heads.
#pragma once

#include <string>

#include "engine/archs/assembly.hpp"
#include "engine/archs/build.hpp"

namespace shoal::archs {

// Names of the parts of one layer in the checkpoint.
struct EncoderNames {
  std::string query, key, value, attention_output, attention_norm, up, down, output_norm;
};

struct EncoderSize {
  std::uint32_t heads = 0;
  float epsilon = 0;
  Activation activation = Activation::kNone;
};

// norm(x + attention(x)), then norm(x + down(activation(up(x)))).
TensorId encoder_layer(Assembly& a, TensorId x, const EncoderNames& names, const EncoderSize& size);

// What the first of `architectures` ends in, with the "For" cut off: "Model", "SequenceClassification", ...
std::string head_of(Assembly& a);

// Outputs of an encoder without a head: "last_hidden_state", "embedding" and, when it is there, "pooler_output".
void headless_outputs(Assembly& a, TensorId x, const std::string& pooler, const EmbeddingStyle& style);

TensorId pooled(Assembly& a, TensorId x, graph::Pooling pooling);

// Scores of the vocabulary for the tokens that are asked for: norm(activation(dense(x))) times the table, plus a bias.
void masked_language_head(Assembly& a, TensorId x, const std::string& dense, const std::string& norm,
                          const std::string& table, const std::string& bias, float epsilon, Activation activation);

// "start_logits" and "end_logits" of each token.
void question_answering_head(Assembly& a, TensorId x);

}  // namespace shoal::archs
