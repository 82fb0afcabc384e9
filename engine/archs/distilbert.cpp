// DistilBERT: BERT without segments and without a pooler, under names of its own.
#include "engine/archs/architectures.hpp"
#include "engine/archs/encoder.hpp"

namespace shoal::archs {

Facts assemble_distilbert(Assembly& a, const EmbeddingStyle& style) {
  const std::string base = a.prefix_of({"", "distilbert."}, "embeddings.word_embeddings.weight");
  constexpr float kEpsilon = 1e-12F;
  const EncoderSize size = {
      .heads = a.config.count("n_heads"), .epsilon = kEpsilon, .activation = activation_of(a, "activation", "gelu")};
  a.graph.begin("encode");
  a.graph.layer("embeddings");
  TensorId x = a.embedding("tokens", base + "embeddings.word_embeddings.weight");
  x = a.embedding("positions", base + "embeddings.position_embeddings.weight", {.addend = x});
  x = a.layer_norm(x, base + "embeddings.LayerNorm", kEpsilon);
  const std::uint32_t layers = a.config.count("n_layers");
  for (std::uint32_t layer = 0; layer < layers && !a.graph.failed(); ++layer) {
    const std::string name = base + "transformer.layer." + std::to_string(layer);
    a.graph.layer(name);
    x = encoder_layer(a, x,
                      {.query = name + ".attention.q_lin",
                       .key = name + ".attention.k_lin",
                       .value = name + ".attention.v_lin",
                       .attention_output = name + ".attention.out_lin",
                       .attention_norm = name + ".sa_layer_norm",
                       .up = name + ".ffn.lin1",
                       .down = name + ".ffn.lin2",
                       .output_norm = name + ".output_layer_norm"},
                      size);
  }
  a.graph.layer("head");
  const std::string head = head_of(a);
  if (head == "SequenceClassification") {
    x = a.linear(pooled(a, x, graph::Pooling::kFirst), {"pre_classifier"}, {.activation = Activation::kRelu});
    a.graph.output("logits", a.linear(x, {"classifier"}));
  } else if (head == "TokenClassification") {
    a.graph.output("logits", a.linear(x, {"classifier"}));
  } else if (head == "QuestionAnswering") {
    question_answering_head(a, x);
  } else if (head == "MaskedLM") {
    masked_language_head(a, x, "vocab_transform", "vocab_layer_norm", base + "embeddings.word_embeddings.weight",
                         "vocab_projector.bias", kEpsilon, size.activation);
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
