// Any text as config.json beside a checkpoint with the tensors of a small Llama and a small BERT: an error in words, or
// a model whose plan the verifier accepts. The first byte says whether the rest is an index of shards instead.
#include <cstdlib>
#include <cstring>
#include <string>

#include "engine/archs/build.hpp"
#include "engine/graph/verify.hpp"
#include "tests/engine/support/memory_files.hpp"

namespace {

std::string checkpoint_file() {
  using shoal::test::SmallTensor;
  std::vector<SmallTensor> tensors;
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape) {
    std::size_t count = 1;
    for (const std::uint64_t dim : shape) {
      count *= dim;
    }
    tensors.push_back({name, std::move(shape), std::vector<float>(count, 0.5F)});
  };
  add("model.embed_tokens.weight", {6, 4});
  add("model.norm.weight", {4});
  const std::string layer = "model.layers.0.";
  for (const char* norm : {"input_layernorm", "post_attention_layernorm"}) {
    add(layer + norm + ".weight", {4});
  }
  for (const char* matrix : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                             "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}) {
    add(layer + matrix + ".weight", {4, 4});
  }
  for (const char* table : {"word", "position", "token_type"}) {
    add(std::string("embeddings.") + table + "_embeddings.weight", {6, 4});
  }
  add("embeddings.LayerNorm.weight", {4});
  add("embeddings.LayerNorm.bias", {4});
  return shoal::test::safetensors_of(tensors);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace shoal;
  static const std::string checkpoint_bytes = checkpoint_file();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  test::MemoryFiles files;
  if (text.starts_with('#')) {
    files.add("model.safetensors.index.json", std::string(text.substr(1)));
    files.add("a.safetensors", checkpoint_bytes);
    const auto sharded = import::Checkpoint::open(files);
    if (!sharded && sharded.error().message.empty()) {
      std::abort();
    }
    return 0;
  }
  files.add("model.safetensors", checkpoint_bytes);
  const auto checkpoint = import::Checkpoint::open(files);
  auto config = import::Config::parse(text);
  if (!checkpoint || !config) {
    return 0;
  }
  const auto model = archs::build_model(std::move(*config), nullptr, *checkpoint);
  if (model ? !graph::verify(model->plan) : model.error().message.empty()) {
    std::abort();
  }
  return 0;
}
