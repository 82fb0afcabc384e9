// BERT, RoBERTa, XLM-RoBERTa and ELECTRA: one encoder, told apart by where positions begin, by a smaller embedding and
// by their heads.
#include "engine/archs/architectures.hpp"
#include "engine/archs/encoder.hpp"

namespace shoal::archs {
namespace {

EncoderNames layer_names(const std::string& layer) {
  return {.query = layer + ".attention.self.query",
          .key = layer + ".attention.self.key",
          .value = layer + ".attention.self.value",
          .attention_output = layer + ".attention.output.dense",
          .attention_norm = layer + ".attention.output.LayerNorm",
          .up = layer + ".intermediate.dense",
          .down = layer + ".output.dense",
          .output_norm = layer + ".output.LayerNorm"};
}

void classify(Assembly& a, TensorId x, const std::string& type, const std::string& pooler) {
  x = pooled(a, x, graph::Pooling::kFirst);
  if (type == "bert") {
    x = a.linear(x, {pooler}, {.activation = Activation::kTanh});
    a.graph.output("logits", a.linear(x, {"classifier"}));
    return;
  }
  const auto activation = type == "electra" ? Activation::kGelu : Activation::kTanh;
  x = a.linear(x, {"classifier.dense"}, {.activation = activation});
  a.graph.output("logits", a.linear(x, {"classifier.out_proj"}));
}

void language_head(Assembly& a, TensorId x, const std::string& type, const std::string& base, const EncoderSize& size) {
  const std::string table = base + "embeddings.word_embeddings.weight";
  if (type == "bert") {
    masked_language_head(a, x, "cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", table,
                         "cls.predictions.bias", size.epsilon, size.activation);
  } else if (type == "electra") {
    masked_language_head(a, x, "generator_predictions.dense", "generator_predictions.LayerNorm", table,
                         "generator_lm_head.bias", size.epsilon, Activation::kGelu);
  } else {
    masked_language_head(a, x, "lm_head.dense", "lm_head.layer_norm", table, "lm_head.bias", size.epsilon,
                         Activation::kGelu);
  }
}

}  // namespace

Facts assemble_bert(Assembly& a, const EmbeddingStyle& style) {
  const std::string type = a.config.text("model_type", "bert");
  const bool is_roberta = type == "roberta" || type == "xlm-roberta";
  const std::string base = a.prefix_of({"", "bert.", "roberta.", "electra."}, "embeddings.word_embeddings.weight");
  const EncoderSize size = {.heads = a.config.count("num_attention_heads"),
                            .epsilon = a.config.number("layer_norm_eps", 1e-12F),
                            .activation = activation_of(a, "hidden_act", "gelu")};
  if (a.config.text("position_embedding_type", "absolute") != "absolute") {
    a.unsupported("position_embedding_type", "not absolute");
  }
  // RoBERTa counts positions from the id of its padding on.
  const std::uint32_t first_position = is_roberta ? a.config.count("pad_token_id", 1) + 1 : 0;

  a.graph.begin("encode");
  a.graph.layer("embeddings");
  TensorId x = a.embedding("tokens", base + "embeddings.word_embeddings.weight");
  x = a.embedding("positions", base + "embeddings.position_embeddings.weight", {.offset = first_position, .addend = x});
  x = a.embedding("token_types", base + "embeddings.token_type_embeddings.weight", {.addend = x});
  x = a.layer_norm(x, base + "embeddings.LayerNorm", size.epsilon);
  if (a.has(base + "embeddings_project.weight")) {
    x = a.linear(x, {base + "embeddings_project"});
  }
  const std::uint32_t layers = a.config.count("num_hidden_layers");
  for (std::uint32_t layer = 0; layer < layers && !a.graph.failed(); ++layer) {
    const std::string name = base + "encoder.layer." + std::to_string(layer);
    a.graph.layer(name);
    x = encoder_layer(a, x, layer_names(name), size);
  }
  a.graph.layer("head");
  const std::string head = head_of(a);
  if (head == "SequenceClassification") {
    classify(a, x, type, base + "pooler.dense");
  } else if (head == "TokenClassification") {
    a.graph.output("logits", a.linear(x, {"classifier"}));
  } else if (head == "QuestionAnswering") {
    question_answering_head(a, x);
  } else if (head == "MaskedLM") {
    language_head(a, x, type, base, size);
  } else if (head == "Model") {
    headless_outputs(a, x, base + "pooler.dense", style);
  } else {
    a.unsupported("architectures", "'For" + head + "'");
  }
  return {.model_class = ModelClass::kEncoder,
          .vocabulary = a.config.count("vocab_size"),
          .max_positions = a.config.count("max_position_embeddings") - first_position};
}

}  // namespace shoal::archs
