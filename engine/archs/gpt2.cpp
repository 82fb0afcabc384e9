// GPT-2: learnt positions, matrices stored transposed.
#include "engine/archs/architectures.hpp"
#include "engine/archs/gpt.hpp"

namespace shoal::archs {

Facts assemble_gpt2(Assembly& a) {
  const std::string base = a.prefix_of({"transformer.", ""}, "wte.weight");
  const GptSize size = {.epsilon = a.config.number("layer_norm_epsilon", 1e-5F),
                        .activation = activation_of(a, "activation_function", "gelu_new"),
                        .transposed = true};
  const HeadCounts counts = head_counts(a, a.config.count("n_embd"), "n_head", "n_head");
  if (a.config.flag("scale_attn_by_inverse_layer_idx", false) || !a.config.flag("scale_attn_weights", true)) {
    a.unsupported("scale_attn_weights", "not the default");
  }
  a.graph.begin("decode");
  a.graph.layer("embeddings");
  TensorId x = a.embedding("tokens", base + "wte.weight");
  x = a.embedding("positions", base + "wpe.weight", {.addend = x});
  const std::uint32_t layers = a.config.count("n_layer");
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = base + "h." + std::to_string(index);
    a.graph.layer(name);
    x = gpt_layer(a, x,
                  {.attention_norm = name + ".ln_1",
                   .attention_output = name + ".attn.c_proj",
                   .up_norm = name + ".ln_2",
                   .up = name + ".mlp.c_fc",
                   .down = name + ".mlp.c_proj"},
                  size, [&](TensorId h) {
                    const TensorId qkv = a.linear(h, {name + ".attn.c_attn"}, {.transposed = true});
                    return cached_attention(a, split(a, qkv, counts), name, {.counts = counts});
                  });
  }
  a.graph.layer("head");
  x = a.layer_norm(wanted_rows(a, x), base + "ln_f", size.epsilon);
  language_head(a, x, "lm_head.weight", base + "wte.weight");
  return {.model_class = ModelClass::kDecoder,
          .vocabulary = a.config.count("vocab_size"),
          .max_positions = a.config.count("n_positions")};
}

}  // namespace shoal::archs
