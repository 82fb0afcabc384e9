// Llama and its relatives: norms before, rotary positions, a gated feed-forward. Qwen2 has biases on q, k and v, Qwen3
// norms of the heads of q and k, Gemma 3 those and norms behind too, with two kinds of layer.
#include <algorithm>
#include <cmath>

#include "engine/archs/architectures.hpp"
#include "engine/archs/decoder.hpp"

namespace shoal::archs {
namespace {

struct Style {
  HeadCounts counts;
  std::uint32_t hidden = 0;
  float epsilon = 0;
  bool is_gemma = false;
  Activation activation = Activation::kSilu;
  float scale = 0;
};

// Gemma stores how far a gain is from 1.
TensorId norm(Assembly& a, const Style& style, TensorId x, const std::string& name, std::uint32_t width = 0) {
  return a.rms_norm(x, name, style.epsilon, {.offset = style.is_gemma ? 1.0F : 0.0F, .width = width});
}

TensorId attention(Assembly& a, const Style& style, TensorId x, const std::string& name, TensorId angles,
                   std::uint32_t window) {
  Qkv qkv = split(a, a.linear(x, {name + ".q_proj", name + ".k_proj", name + ".v_proj"}), style.counts);
  if (a.has(name + ".q_norm.weight")) {
    qkv.q = norm(a, style, qkv.q, name + ".q_norm", style.counts.head_dim);
    qkv.k = norm(a, style, qkv.k, name + ".k_norm", style.counts.head_dim);
  }
  const graph::Rope rope{.head_dim = style.counts.head_dim};
  qkv.q = a.graph.apply(rope, {qkv.q, angles});
  qkv.k = a.graph.apply(rope, {qkv.k, angles});
  return cached_attention(a, qkv, name, {.counts = style.counts, .scale = style.scale, .window = window});
}

TensorId feed_forward(Assembly& a, const Style& style, TensorId x, const std::string& name, TensorId residual) {
  x = a.linear(x, {name + ".gate_proj", name + ".up_proj"});
  x = a.graph.apply(graph::Gate{.activation = style.activation}, {x});
  return a.linear(x, {name + ".down_proj"}, {.residual = residual});
}

TensorId layer(Assembly& a, const Style& style, TensorId x, const std::string& name, TensorId angles,
               std::uint32_t window) {
  TensorId h = norm(a, style, x, name + ".input_layernorm");
  h = attention(a, style, h, name + ".self_attn", angles, window);
  if (!style.is_gemma) {
    x = a.linear(h, {name + ".self_attn.o_proj"}, {.residual = x});
    h = norm(a, style, x, name + ".post_attention_layernorm");
    return feed_forward(a, style, h, name + ".mlp", x);
  }
  h = norm(a, style, a.linear(h, {name + ".self_attn.o_proj"}), name + ".post_attention_layernorm");
  x = a.graph.apply(graph::Add{}, {x, h});
  h = norm(a, style, x, name + ".pre_feedforward_layernorm");
  h = norm(a, style, feed_forward(a, style, h, name + ".mlp", kNoTensor), name + ".post_feedforward_layernorm");
  return a.graph.apply(graph::Add{}, {x, h});
}

Style style_of(Assembly& a) {
  Style style{.counts = {}, .hidden = a.config.count("hidden_size"), .epsilon = a.config.number("rms_norm_eps")};
  style.counts = head_counts(a, style.hidden, "num_attention_heads", "num_key_value_heads");
  style.is_gemma = a.config.text("model_type", "") == "gemma3_text";
  style.activation = style.is_gemma ? activation_of(a, "hidden_activation", "gelu_pytorch_tanh")
                                    : activation_of(a, "hidden_act", "silu");
  if (style.is_gemma) {
    style.scale = 1 / std::sqrt(a.config.number("query_pre_attn_scalar"));
  }
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    if (a.config.has(key)) {
      a.unsupported(key, "set");
    }
  }
  return style;
}

// Whether each layer sees a window only.
std::vector<bool> windowed_layers(Assembly& a, std::uint32_t layers) {
  const auto kinds = a.config.words("layer_types");
  std::vector<bool> out(layers);
  for (std::uint32_t index = 0; index < layers && index < kinds.size(); ++index) {
    out[index] = kinds[index] == "sliding_attention";
  }
  return out;
}

}  // namespace

Facts assemble_llama(Assembly& a) {
  const Style style = style_of(a);
  const std::string base = a.prefix_of({"model.", ""}, "embed_tokens.weight");
  const std::uint32_t layers = a.config.count("num_hidden_layers");
  const auto is_windowed = windowed_layers(a, layers);
  const bool has_windows = std::find(is_windowed.begin(), is_windowed.end(), true) != is_windowed.end();

  a.graph.begin("decode");
  a.graph.layer("embeddings");
  const float scale = style.is_gemma ? std::sqrt(static_cast<float>(style.hidden)) : 1.0F;
  TensorId x = a.embedding("tokens", base + "embed_tokens.weight", {.scale = scale});
  const std::uint32_t dim = style.counts.head_dim;
  const TensorId angles = rope_angles(a, "rope", rope_frequencies(a, dim, a.config.number("rope_theta", 10000)));
  TensorId local_angles = angles;
  if (has_windows && a.config.has("rope_local_base_freq")) {
    // The scaling of the configuration is for the layers that see everything.
    local_angles = rope_angles(a, "rope.local", plain_frequencies(dim, a.config.number("rope_local_base_freq")));
  }
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = base + "layers." + std::to_string(index);
    a.graph.layer(name);
    const std::uint32_t window = is_windowed[index] ? a.config.count("sliding_window") : 0;
    x = layer(a, style, x, name, is_windowed[index] ? local_angles : angles, window);
  }
  a.graph.layer("head");
  x = norm(a, style, wanted_rows(a, x), base + "norm");
  language_head(a, x, "lm_head.weight", base + "embed_tokens.weight");
  return {.model_class = ModelClass::kDecoder,
          .vocabulary = a.config.count("vocab_size"),
          .max_positions = a.config.count("max_position_embeddings", 0)};
}

}  // namespace shoal::archs
