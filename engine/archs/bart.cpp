// BART: learnt positions that begin at row 2 of their table, norms behind the sums.
#include <cmath>

#include "engine/archs/architectures.hpp"
#include "engine/archs/encoder.hpp"
#include "engine/archs/encoder_decoder.hpp"

namespace shoal::archs {
namespace {

constexpr std::uint32_t kFirstPosition = 2;
constexpr float kEpsilon = 1e-5F;

struct Bart {
  std::string table;
  float scale = 1;
  Activation activation = Activation::kNone;
};

HeadCounts counts_of(Assembly& a, std::string_view key) {
  const std::uint32_t heads = a.config.count(key);
  const std::uint32_t hidden = a.config.count("d_model");
  if (hidden % heads != 0) {
    a.config.refuse(key, "a divisor of d_model");
  }
  return {heads, heads, std::max(hidden / heads, 1U)};
}

TensorId embed(Assembly& a, const Bart& bart, const std::string& stack) {
  TensorId x = a.embedding("tokens", bart.table, {.scale = bart.scale});
  x = a.embedding("positions", stack + ".embed_positions.weight", {.offset = kFirstPosition, .addend = x});
  return a.layer_norm(x, stack + ".layernorm_embedding", kEpsilon);
}

TensorId decoder_layer(Assembly& a, const Bart& bart, TensorId x, const std::string& name, const HeadCounts& counts,
                       const CrossStates& cross) {
  const std::string self = name + ".self_attn";
  const std::string other = name + ".encoder_attn";
  const Qkv qkv = split(a, a.linear(x, {self + ".q_proj", self + ".k_proj", self + ".v_proj"}), counts);
  TensorId h = cached_attention(a, qkv, self, {.counts = counts});
  x = a.layer_norm(a.linear(h, {self + ".out_proj"}, {.residual = x}), name + ".self_attn_layer_norm", kEpsilon);
  h = cross_attention(a, a.linear(x, {other + ".q_proj"}), cross, counts,
                      1 / std::sqrt(static_cast<float>(counts.head_dim)));
  x = a.layer_norm(a.linear(h, {other + ".out_proj"}, {.residual = x}), name + ".encoder_attn_layer_norm", kEpsilon);
  h = a.linear(x, {name + ".fc1"}, {.activation = bart.activation});
  return a.layer_norm(a.linear(h, {name + ".fc2"}, {.residual = x}), name + ".final_layer_norm", kEpsilon);
}

TensorId encode(Assembly& a, const Bart& bart) {
  a.graph.begin("encode");
  a.graph.layer("model.encoder.embeddings");
  TensorId x = embed(a, bart, "model.encoder");
  const EncoderSize size = {
      .heads = a.config.count("encoder_attention_heads"), .epsilon = kEpsilon, .activation = bart.activation};
  const std::uint32_t layers = a.config.count("encoder_layers");
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = "model.encoder.layers." + std::to_string(index);
    a.graph.layer(name);
    x = encoder_layer(a, x,
                      {.query = name + ".self_attn.q_proj",
                       .key = name + ".self_attn.k_proj",
                       .value = name + ".self_attn.v_proj",
                       .attention_output = name + ".self_attn.out_proj",
                       .attention_norm = name + ".self_attn_layer_norm",
                       .up = name + ".fc1",
                       .down = name + ".fc2",
                       .output_norm = name + ".final_layer_norm"},
                      size);
  }
  a.graph.layer("model.encoder.head");
  a.graph.output("last_hidden_state", x);
  return x;
}

}  // namespace

Facts assemble_bart(Assembly& a) {
  const Bart bart = {
      .table = a.has("model.shared.weight") ? "model.shared.weight" : "model.encoder.embed_tokens.weight",
      .scale = a.config.flag("scale_embedding", false) ? std::sqrt(static_cast<float>(a.config.count("d_model"))) : 1,
      .activation = activation_of(a, "activation_function", "gelu")};
  const HeadCounts counts = counts_of(a, "decoder_attention_heads");
  const std::uint32_t layers = a.config.count("decoder_layers");
  const TensorId memory = encode(a, bart);
  std::vector<CrossStates> cross;
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = "model.decoder.layers." + std::to_string(index) + ".encoder_attn";
    cross.push_back(cross_states(a, name, counts));
    keep_memory(a, memory, name + ".k_proj", name + ".v_proj", cross.back());
  }

  a.graph.begin("decode");
  a.graph.layer("model.decoder.embeddings");
  TensorId x = embed(a, bart, "model.decoder");
  for (std::uint32_t index = 0; index < layers && !a.graph.failed(); ++index) {
    const std::string name = "model.decoder.layers." + std::to_string(index);
    a.graph.layer(name);
    x = decoder_layer(a, bart, x, name, counts, cross[index]);
  }
  a.graph.layer("head");
  x = wanted_rows(a, x);
  const TensorId bias = a.has("final_logits_bias") ? a.vector("final_logits_bias") : kNoTensor;
  a.graph.output("logits", a.linear_of(x, a.matrix(a.has("lm_head.weight") ? "lm_head.weight" : bart.table), bias));
  return {.model_class = ModelClass::kEncoderDecoder,
          .vocabulary = a.config.count("vocab_size"),
          .max_positions = a.config.count("max_position_embeddings"),
          .decoder_start = decoder_start_of(a)};
}

}  // namespace shoal::archs
