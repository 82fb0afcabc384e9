#include "engine/archs/encoder.hpp"

#include <cmath>

namespace shoal::archs {

TensorId encoder_layer(Assembly& a, TensorId x, const EncoderNames& names, const EncoderSize& size) {
  const std::uint32_t hidden = a.graph.columns(x);
  if (size.heads == 0 || hidden % size.heads != 0) {
    a.config.refuse("num_attention_heads", "a divisor of the hidden size");
    return x;
  }
  const std::uint32_t head_dim = hidden / size.heads;
  const TensorId qkv = a.linear(x, {names.query, names.key, names.value});
  const TensorId context = a.graph.apply(graph::Attention{.heads = size.heads,
                                                          .kv_heads = size.heads,
                                                          .head_dim = head_dim,
                                                          .scale = 1 / std::sqrt(static_cast<float>(head_dim))},
                                         {a.graph.view(qkv, 0, hidden), a.graph.view(qkv, hidden, hidden),
                                          a.graph.view(qkv, 2 * hidden, hidden), a.graph.input("row_starts")});
  x = a.linear(context, {names.attention_output}, {.residual = x});
  x = a.layer_norm(x, names.attention_norm, size.epsilon);
  const TensorId wide = a.linear(x, {names.up}, {.activation = size.activation});
  x = a.linear(wide, {names.down}, {.residual = x});
  return a.layer_norm(x, names.output_norm, size.epsilon);
}

std::string head_of(Assembly& a) {
  const auto names = a.config.words("architectures");
  if (names.empty()) {
    return "Model";
  }
  const std::size_t at = names.front().find("For");
  return at == std::string::npos ? "Model" : names.front().substr(at + 3);
}

TensorId pooled(Assembly& a, TensorId x, graph::Pooling pooling) {
  return a.graph.apply(graph::Pool{.pooling = pooling}, {x, a.graph.input("row_starts")});
}

void headless_outputs(Assembly& a, TensorId x, const std::string& pooler, const EmbeddingStyle& style) {
  a.graph.output("last_hidden_state", x);
  if (a.has(pooler + ".weight")) {
    const TensorId first = pooled(a, x, graph::Pooling::kFirst);
    a.graph.output("pooler_output", a.linear(first, {pooler}, {.activation = Activation::kTanh}));
  }
  TensorId embedding = pooled(a, x, style.pooling);
  if (style.is_normalized) {
    embedding = a.graph.apply(graph::L2Normalize{}, {embedding});
  }
  a.graph.output("embedding", embedding);
}

void masked_language_head(Assembly& a, TensorId x, const std::string& dense, const std::string& norm,
                          const std::string& table, const std::string& bias, float epsilon, Activation activation) {
  x = a.graph.apply(graph::Gather{}, {x, a.graph.input("output_tokens")});
  x = a.layer_norm(a.linear(x, {dense}, {.activation = activation}), norm, epsilon);
  a.graph.output("logits", a.linear_of(x, a.matrix(table), a.vector(bias)));
}

void question_answering_head(Assembly& a, TensorId x) {
  const TensorId logits = a.linear(x, {"qa_outputs"});
  a.graph.output("start_logits", a.graph.view(logits, 0, 1));
  a.graph.output("end_logits", a.graph.view(logits, 1, 1));
}

}  // namespace shoal::archs
