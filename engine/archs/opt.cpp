// OPT: learnt positions that begin at row 2 of their table.
#include "engine/archs/architectures.hpp"
#include "engine/archs/gpt.hpp"

namespace shoal::archs {

Facts assemble_opt(Assembly& a) {
  const std::string base = a.prefix_of({"model.decoder.", "decoder."}, "embed_tokens.weight");
  constexpr std::uint32_t kFirstPosition = 2;
  const GptSize size = {.epsilon = 1e-5F, .activation = activation_of(a, "activation_function", "relu")};
  const std::uint32_t hidden = a.config.count("hidden_size");
  const HeadCounts counts = head_counts(a, hidden, "num_attention_heads", "num_attention_heads");
  if (!a.config.flag("do_layer_norm_before", true) || a.config.flag("_remove_final_layer_norm", false)) {
    a.unsupported("do_layer_norm_before", "false");
  }
  if (a.config.count("word_embed_proj_dim", hidden) != hidden) {
    a.unsupported("word_embed_proj_dim", "not the hidden size");
  }
  a.graph.begin("decode");
  a.graph.layer("embeddings");
  TensorId x = a.embedding("tokens", base + "embed_tokens.weight");
  x = a.embedding("positions", base + "embed_positions.weight", {.offset = kFirstPosition, .addend = x});
  const std::uint32_t layers = a.config.count("num_hidden_layers");
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = base + "layers." + std::to_string(index);
    const std::string self = name + ".self_attn";
    a.graph.layer(name);
    x = gpt_layer(a, x,
                  {.attention_norm = name + ".self_attn_layer_norm",
                   .attention_output = self + ".out_proj",
                   .up_norm = name + ".final_layer_norm",
                   .up = name + ".fc1",
                   .down = name + ".fc2"},
                  size, [&](TensorId h) {
                    const TensorId qkv = a.linear(h, {self + ".q_proj", self + ".k_proj", self + ".v_proj"});
                    return cached_attention(a, split(a, qkv, counts), name, {.counts = counts});
                  });
  }
  a.graph.layer("head");
  x = a.layer_norm(wanted_rows(a, x), base + "final_layer_norm", size.epsilon);
  language_head(a, x, "lm_head.weight", base + "embed_tokens.weight");
  return {.model_class = ModelClass::kDecoder,
          .vocabulary = a.config.count("vocab_size"),
          .max_positions = a.config.count("max_position_embeddings")};
}

}  // namespace shoal::archs
