#include "tests/engine/support/small_models.hpp"

#include <cstdio>
#include <cstdlib>
#include <random>

namespace shoal::test {
namespace {

class RandomTensors {
 public:
  void add(const std::string& name, std::vector<std::uint64_t> shape, float spread = 0.4F, float mean = 0) {
    std::size_t count = 1;
    for (const std::uint64_t dim : shape) {
      count *= static_cast<std::size_t>(dim);
    }
    std::normal_distribution<float> normal(mean, spread);
    std::vector<float> values(count);
    for (float& value : values) {
      value = normal(random_);
    }
    tensors_.push_back({name, std::move(shape), std::move(values)});
  }
  void linear(const std::string& name, std::uint64_t rows, std::uint64_t columns) {
    add(name + ".weight", {rows, columns});
    add(name + ".bias", {rows});
  }
  void norm(const std::string& name, std::uint64_t width) {
    add(name + ".weight", {width}, 0.1F, 1);
    add(name + ".bias", {width});
  }
  [[nodiscard]] std::string file() const { return safetensors_of(tensors_); }

 private:
  std::mt19937 random_{7};
  std::vector<SmallTensor> tensors_;
};

// These tests also run where there are no exceptions.
template <class T>
T need(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "small model: %s\n", result.error().message.c_str());
    std::abort();
  }
  return std::move(*result);
}

SmallModel finish(std::string_view config_text, const RandomTensors& tensors, Parallel& parallel) {
  SmallModel out;
  out.files->add("model.safetensors", tensors.file());
  out.checkpoint = need(import::Checkpoint::open(*out.files));
  out.model = need(archs::build_model(need(import::Config::parse(config_text)), nullptr, out.checkpoint));
  out.weights = need(runtime::Weights::make(out.model.plan, out.model.recipes, out.checkpoint, {}, parallel));
  return out;
}

}  // namespace

SmallModel small_bert(Parallel& parallel) {
  RandomTensors tensors;
  tensors.add("embeddings.word_embeddings.weight", {50, 16});
  tensors.add("embeddings.position_embeddings.weight", {20, 16});
  tensors.add("embeddings.token_type_embeddings.weight", {2, 16});
  tensors.norm("embeddings.LayerNorm", 16);
  const std::string layer = "encoder.layer.0.";
  for (const char* name : {"query", "key", "value"}) {
    tensors.linear(layer + "attention.self." + name, 16, 16);
  }
  tensors.linear(layer + "attention.output.dense", 16, 16);
  tensors.norm(layer + "attention.output.LayerNorm", 16);
  tensors.linear(layer + "intermediate.dense", 40, 16);
  tensors.linear(layer + "output.dense", 16, 40);
  tensors.norm(layer + "output.LayerNorm", 16);
  return finish(R"({"model_type": "bert", "hidden_act": "gelu", "num_attention_heads": 4, "num_hidden_layers": 1,
                    "vocab_size": 50, "max_position_embeddings": 20})",
                tensors, parallel);
}

SmallModel small_llama(Parallel& parallel) {
  RandomTensors tensors;
  tensors.add("model.embed_tokens.weight", {50, 16});
  for (const char* index : {"0", "1"}) {
    const std::string layer = std::string("model.layers.") + index;
    tensors.add(layer + ".input_layernorm.weight", {16}, 0.1F, 1);
    tensors.add(layer + ".post_attention_layernorm.weight", {16}, 0.1F, 1);
    tensors.add(layer + ".self_attn.q_proj.weight", {16, 16});
    tensors.add(layer + ".self_attn.k_proj.weight", {8, 16});
    tensors.add(layer + ".self_attn.v_proj.weight", {8, 16});
    tensors.add(layer + ".self_attn.o_proj.weight", {16, 16});
    tensors.add(layer + ".mlp.gate_proj.weight", {24, 16});
    tensors.add(layer + ".mlp.up_proj.weight", {24, 16});
    tensors.add(layer + ".mlp.down_proj.weight", {16, 24});
  }
  tensors.add("model.norm.weight", {16}, 0.1F, 1);
  return finish(kSmallLlama, tensors, parallel);
}

}  // namespace shoal::test
