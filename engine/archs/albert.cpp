// ALBERT: one layer run many times, and a small embedding that is widened.
#include "engine/archs/architectures.hpp"
#include "engine/archs/encoder.hpp"

namespace shoal::archs {

Facts assemble_albert(Assembly& a, const EmbeddingStyle& style) {
  const std::string base = a.prefix_of({"", "albert."}, "embeddings.word_embeddings.weight");
  const EncoderSize size = {.heads = a.config.count("num_attention_heads"),
                            .epsilon = a.config.number("layer_norm_eps", 1e-12F),
                            .activation = activation_of(a, "hidden_act", "gelu_new")};
  if (a.config.count("inner_group_num", 1) != 1 || a.config.count("num_hidden_groups", 1) != 1) {
    a.unsupported("num_hidden_groups", "not 1");
  }
  a.graph.begin("encode");
  a.graph.layer("embeddings");
  TensorId x = a.embedding("tokens", base + "embeddings.word_embeddings.weight");
  x = a.embedding("positions", base + "embeddings.position_embeddings.weight", {.addend = x});
  x = a.embedding("token_types", base + "embeddings.token_type_embeddings.weight", {.addend = x});
  x = a.layer_norm(x, base + "embeddings.LayerNorm", size.epsilon);
  x = a.linear(x, {base + "encoder.embedding_hidden_mapping_in"});

  const std::string shared = base + "encoder.albert_layer_groups.0.albert_layers.0";
  const EncoderNames names = {.query = shared + ".attention.query",
                              .key = shared + ".attention.key",
                              .value = shared + ".attention.value",
                              .attention_output = shared + ".attention.dense",
                              .attention_norm = shared + ".attention.LayerNorm",
                              .up = shared + ".ffn",
                              .down = shared + ".ffn_output",
                              .output_norm = shared + ".full_layer_layer_norm"};
  const std::uint32_t layers = a.config.count("num_hidden_layers");
  for (std::uint32_t layer = 0; layer < layers && !a.graph.failed(); ++layer) {
    a.graph.layer("layer." + std::to_string(layer));
    x = encoder_layer(a, x, names, size);
  }
  a.graph.layer("head");
  const std::string head = head_of(a);
  if (head == "MaskedLM") {
    masked_language_head(a, x, "predictions.dense", "predictions.LayerNorm", base + "embeddings.word_embeddings.weight",
                         "predictions.bias", size.epsilon, size.activation);
  } else if (head == "SequenceClassification") {
    x = a.linear(pooled(a, x, graph::Pooling::kFirst), {base + "pooler"}, {.activation = Activation::kTanh});
    a.graph.output("logits", a.linear(x, {"classifier"}));
  } else if (head == "TokenClassification") {
    a.graph.output("logits", a.linear(x, {"classifier"}));
  } else if (head == "QuestionAnswering") {
    question_answering_head(a, x);
  } else if (head == "Model") {
    headless_outputs(a, x, base + "pooler", style);
  } else {
    a.unsupported("architectures", "'For" + head + "'");
  }
  return {.model_class = ModelClass::kEncoder,
          .vocabulary = a.config.count("vocab_size"),
          .max_positions = a.config.count("max_position_embeddings")};
}

}  // namespace shoal::archs
