// Falcon (7B and its kin): one head of keys for all, rotary positions, attention and feed-forward side by side.
#include "engine/archs/architectures.hpp"
#include "engine/archs/decoder.hpp"

namespace shoal::archs {

Facts assemble_falcon(Assembly& a) {
  const std::string base = a.prefix_of({"transformer.", ""}, "word_embeddings.weight");
  const float epsilon = a.config.number("layer_norm_epsilon", 1e-5F);
  const Activation activation = activation_of(a, "activation", "gelu");
  HeadCounts counts = head_counts(a, a.config.count("hidden_size"), "num_attention_heads", "num_attention_heads");
  counts.kv_heads = 1;
  if (a.config.flag("new_decoder_architecture", false)) {
    a.unsupported("new_decoder_architecture", "true");
  }
  if (!a.config.flag("multi_query", true) || !a.config.flag("parallel_attn", true)) {
    a.unsupported("multi_query", "false, or parallel_attn is");
  }
  if (a.config.flag("alibi", false)) {
    a.unsupported("alibi", "true");
  }
  a.graph.begin("decode");
  a.graph.layer("embeddings");
  TensorId x = a.embedding("tokens", base + "word_embeddings.weight");
  const TensorId angles =
      rope_angles(a, "rope", rope_frequencies(a, counts.head_dim, a.config.number("rope_theta", 10000)));
  const std::uint32_t layers = a.config.count("num_hidden_layers");
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = base + "h." + std::to_string(index);
    a.graph.layer(name);
    const TensorId h = a.layer_norm(x, name + ".input_layernorm", epsilon);
    Qkv qkv = split(a, a.linear(h, {name + ".self_attention.query_key_value"}), counts);
    qkv.q = a.graph.apply(graph::Rope{.head_dim = counts.head_dim}, {qkv.q, angles});
    qkv.k = a.graph.apply(graph::Rope{.head_dim = counts.head_dim}, {qkv.k, angles});
    const TensorId context = cached_attention(a, qkv, name, {.counts = counts});
    x = a.linear(context, {name + ".self_attention.dense"}, {.residual = x});
    const TensorId wide = a.linear(h, {name + ".mlp.dense_h_to_4h"}, {.activation = activation});
    x = a.linear(wide, {name + ".mlp.dense_4h_to_h"}, {.residual = x});
  }
  a.graph.layer("head");
  x = a.layer_norm(wanted_rows(a, x), base + "ln_f", epsilon);
  language_head(a, x, "lm_head.weight", base + "word_embeddings.weight");
  return {.model_class = ModelClass::kDecoder,
          .vocabulary = a.config.count("vocab_size"),
          .max_positions = a.config.count("max_position_embeddings", 0)};
}

}  // namespace shoal::archs
