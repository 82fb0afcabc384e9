// T5, with one feed-forward matrix or a gated pair: norms before, relative positions, scores without a scale.
#include <cmath>

#include "engine/archs/architectures.hpp"
#include "engine/archs/encoder_decoder.hpp"

namespace shoal::archs {
namespace {

struct T5 {
  HeadCounts counts;
  float epsilon = 0;
  Activation activation = Activation::kNone;
  bool is_gated = false;
  std::uint32_t max_distance = 0;
};

T5 t5_of(Assembly& a) {
  T5 out;
  out.counts.heads = a.config.count("num_heads");
  out.counts.kv_heads = out.counts.heads;
  out.counts.head_dim = a.config.count("d_kv");
  out.epsilon = a.config.number("layer_norm_epsilon", 1e-6F);
  out.max_distance = a.config.count("relative_attention_max_distance", 128);
  const std::string kind = a.config.text("feed_forward_proj", "relu");
  out.is_gated = kind.starts_with("gated-");
  // "gated-gelu" means the approximation, whatever dense_act_fn would say of "gelu".
  out.activation = kind == "gated-gelu" ? Activation::kGeluTanh : activation_of(a, "dense_act_fn", kind);
  return out;
}

TensorId feed_forward(Assembly& a, const T5& t5, TensorId x, const std::string& layer, const std::string& name) {
  TensorId h = a.rms_norm(x, layer + ".layer_norm", t5.epsilon);
  if (t5.is_gated) {
    h = a.linear(h, {name + ".wi_0", name + ".wi_1"});
    h = a.graph.apply(graph::Gate{.activation = t5.activation}, {h});
  } else {
    h = a.linear(h, {name + ".wi"}, {.activation = t5.activation});
  }
  return a.linear(h, {name + ".wo"}, {.residual = x});
}

Qkv qkv_of(Assembly& a, const T5& t5, TensorId h, const std::string& name) {
  return split(a, a.linear(h, {name + ".q", name + ".k", name + ".v"}), t5.counts);
}

// The table of the first layer serves all.
std::string bias_name(const std::string& stack) {
  return stack + ".block.0.layer.0.SelfAttention.relative_attention_bias.weight";
}

TensorId encode(Assembly& a, const T5& t5, const std::string& table) {
  a.graph.begin("encode");
  a.graph.layer("encoder.embeddings");
  TensorId x = a.embedding("tokens", table);
  const TensorId bias = a.matrix(bias_name("encoder"));
  const std::uint32_t layers = a.config.count("num_layers");
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = "encoder.block." + std::to_string(index);
    const std::string self = name + ".layer.0.SelfAttention";
    a.graph.layer(name);
    const Qkv qkv = qkv_of(a, t5, a.rms_norm(x, name + ".layer.0.layer_norm", t5.epsilon), self);
    const TensorId context = a.graph.apply(graph::Attention{.heads = t5.counts.heads,
                                                            .kv_heads = t5.counts.heads,
                                                            .head_dim = t5.counts.head_dim,
                                                            .bias = graph::AttentionBias::kRelative,
                                                            .max_distance = t5.max_distance},
                                           {qkv.q, qkv.k, qkv.v, a.graph.input("row_starts"), bias});
    x = a.linear(context, {self + ".o"}, {.residual = x});
    x = feed_forward(a, t5, x, name + ".layer.1", name + ".layer.1.DenseReluDense");
  }
  a.graph.layer("encoder.head");
  x = a.rms_norm(x, "encoder.final_layer_norm", t5.epsilon);
  a.graph.output("last_hidden_state", x);
  return x;
}

}  // namespace

Facts assemble_t5(Assembly& a) {
  const T5 t5 = t5_of(a);
  const std::string table = a.has("shared.weight") ? "shared.weight" : "encoder.embed_tokens.weight";
  const std::uint32_t layers = a.config.count("num_decoder_layers", a.config.count("num_layers"));
  const TensorId memory = encode(a, t5, table);
  std::vector<CrossStates> cross;
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = "decoder.block." + std::to_string(index) + ".layer.1.EncDecAttention";
    cross.push_back(cross_states(a, name, t5.counts));
    keep_memory(a, memory, name + ".k", name + ".v", cross.back());
  }

  a.graph.begin("decode");
  a.graph.layer("decoder.embeddings");
  TensorId x = a.embedding("tokens", table);
  const CachedAttention attention = {.counts = t5.counts,
                                     .scale = 1,
                                     .bias = graph::AttentionBias::kRelative,
                                     .bias_weight = a.matrix(bias_name("decoder")),
                                     .max_distance = t5.max_distance};
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = "decoder.block." + std::to_string(index);
    const std::string self = name + ".layer.0.SelfAttention";
    const std::string other = name + ".layer.1.EncDecAttention";
    a.graph.layer(name);
    const Qkv qkv = qkv_of(a, t5, a.rms_norm(x, name + ".layer.0.layer_norm", t5.epsilon), self);
    x = a.linear(cached_attention(a, qkv, self, attention), {self + ".o"}, {.residual = x});
    const TensorId q = a.linear(a.rms_norm(x, name + ".layer.1.layer_norm", t5.epsilon), {other + ".q"});
    x = a.linear(cross_attention(a, q, cross[index], t5.counts, 1), {other + ".o"}, {.residual = x});
    x = feed_forward(a, t5, x, name + ".layer.2", name + ".layer.2.DenseReluDense");
  }
  a.graph.layer("head");
  // A head that is tied to the embedding reads a smaller hidden state; the gain of the norm takes that over.
  const bool is_tied = a.config.flag("tie_word_embeddings", true);
  const float factor = is_tied ? 1 / std::sqrt(static_cast<float>(a.config.count("d_model"))) : 1.0F;
  x = a.rms_norm(wanted_rows(a, x), "decoder.final_layer_norm", t5.epsilon, {.factor = factor});
  language_head(a, x, is_tied ? "" : "lm_head.weight", table);
  return {.model_class = ModelClass::kEncoderDecoder,
          .vocabulary = a.config.count("vocab_size"),
          .decoder_start = decoder_start_of(a)};
}

}  // namespace shoal::archs
