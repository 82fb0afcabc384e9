// BLOOM: ALiBi instead of positions, and q, k, v of each head beside each other in one matrix.
#include "engine/archs/architectures.hpp"
#include "engine/archs/gpt.hpp"

namespace shoal::archs {
namespace {

// Rows of the fused matrix with all of q first, then k, then v.
std::vector<std::pair<std::uint32_t, std::uint32_t>> rows_by_kind(const HeadCounts& counts) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> rows;
  for (std::uint32_t kind = 0; kind < 3; ++kind) {
    for (std::uint32_t head = 0; head < counts.heads; ++head) {
      rows.emplace_back((3 * head + kind) * counts.head_dim, counts.head_dim);
    }
  }
  return rows;
}

}  // namespace

Facts assemble_bloom(Assembly& a) {
  const std::string base = a.prefix_of({"transformer.", ""}, "word_embeddings.weight");
  const GptSize size = {.epsilon = a.config.number("layer_norm_epsilon", 1e-5F), .activation = Activation::kGeluTanh};
  const std::string hidden_key = a.config.has("hidden_size") ? "hidden_size" : "n_embed";
  const HeadCounts counts = head_counts(a, a.config.count(hidden_key), "n_head", "n_head");
  if (a.config.flag("apply_residual_connection_post_layernorm", false)) {
    a.unsupported("apply_residual_connection_post_layernorm", "true");
  }
  const auto rows = rows_by_kind(counts);
  a.graph.begin("decode");
  a.graph.layer("embeddings");
  TensorId x = a.embedding("tokens", base + "word_embeddings.weight");
  x = a.layer_norm(x, base + "word_embeddings_layernorm", size.epsilon);
  const CachedAttention attention = {.counts = counts,
                                     .bias = graph::AttentionBias::kAlibi,
                                     .bias_weight = a.numbers("alibi", alibi_slopes(counts.heads))};
  const std::uint32_t layers = a.config.count("n_layer");
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = base + "h." + std::to_string(index);
    a.graph.layer(name);
    x = gpt_layer(a, x,
                  {.attention_norm = name + ".input_layernorm",
                   .attention_output = name + ".self_attention.dense",
                   .up_norm = name + ".post_attention_layernorm",
                   .up = name + ".mlp.dense_h_to_4h",
                   .down = name + ".mlp.dense_4h_to_h"},
                  size, [&](TensorId h) {
                    const TensorId qkv = a.linear_reordered(h, name + ".self_attention.query_key_value", rows);
                    return cached_attention(a, split(a, qkv, counts), name, attention);
                  });
  }
  a.graph.layer("head");
  x = a.layer_norm(wanted_rows(a, x), base + "ln_f", size.epsilon);
  language_head(a, x, "lm_head.weight", base + "word_embeddings.weight");
  return {.model_class = ModelClass::kDecoder, .vocabulary = a.config.count("vocab_size")};
}

}  // namespace shoal::archs
