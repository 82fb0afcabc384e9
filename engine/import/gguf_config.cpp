#include "engine/import/gguf_config.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "engine/import/gguf/gguf_blocks.hpp"

namespace shoal::import {
namespace {

using Json = nlohmann::json;

// Names of architectures are those of their Hugging Face model_type too.
constexpr std::array<std::string_view, 3> kArchitectures = {"llama", "qwen2", "qwen3"};

struct NameRow {
  std::string_view gguf;
  std::string_view checkpoint;
};
constexpr auto kWhole = std::to_array<NameRow>({
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
});
constexpr auto kOfLayer = std::to_array<NameRow>({
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
});

// Texts by which chat models end an answer: a file names one such token, and models make the others as well.
constexpr auto kEndings =
    std::to_array<std::string_view>({"<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end|>"});

std::optional<std::string_view> renamed(std::span<const NameRow> rows, std::string_view stem) {
  const auto found = std::ranges::find(rows, stem, &NameRow::gguf);
  return found == rows.end() ? std::nullopt : std::optional(found->checkpoint);
}

// Reads values under "<architecture>." and keeps the first mistake.
class Reader {
 public:
  Reader(const Gguf& gguf, std::string prefix) : gguf_(gguf), prefix_(std::move(prefix)) {}

  [[nodiscard]] bool has(std::string_view key) const { return gguf_.values.contains(prefix_ + std::string(key)); }

  std::uint64_t count(std::string_view key) {
    const auto* value = gguf_.find<std::uint64_t>(prefix_ + std::string(key));
    if (value == nullptr || *value == 0 || *value > (1U << 28)) {
      refuse(Code::kInvalidArgument, key, "a whole number from 1 to 2^28");
      return 1;
    }
    return *value;
  }
  double number(std::string_view key) {
    const auto* value = gguf_.find<double>(prefix_ + std::string(key));
    if (value == nullptr || !std::isfinite(*value)) {
      refuse(Code::kInvalidArgument, key, "a number");
      return 1;
    }
    return *value;
  }
  std::string text(std::string_view key) {
    const auto* value = gguf_.find<std::string>(prefix_ + std::string(key));
    if (value == nullptr) {
      refuse(Code::kInvalidArgument, key, "a text");
      return {};
    }
    return *value;
  }
  void refuse(Code code, std::string_view key, std::string_view expected) {
    if (status_) {
      const std::string name = prefix_ + std::string(key);
      status_ = fail(
          code, "GGUF: '" + name + "' is " + (has(key) ? "not " : "missing, expected ") + std::string(expected), name);
    }
  }
  [[nodiscard]] Status status() const { return status_; }

 private:
  const Gguf& gguf_;
  std::string prefix_;
  Status status_;
};

Json rope_scaling(Reader& reader) {
  const std::string kind = reader.has("rope.scaling.type") ? reader.text("rope.scaling.type") : "none";
  if (kind == "linear") {
    return {{"rope_type", "linear"}, {"factor", reader.number("rope.scaling.factor")}};
  }
  if (kind != "none") {
    reader.refuse(Code::kOperatorNotSupported, "rope.scaling.type", "'linear' or 'none', the kinds that are supported");
  }
  return nullptr;
}

// By what each frequency is divided: how the scaling of Llama 3 is stored.
Result<Json> rope_divisors(const GgufTensor& tensor, Bytes file) {
  const auto bytes = slice(file, tensor.offset, tensor.bytes);
  std::vector<float> values(static_cast<std::size_t>(tensor.row_length()));
  if (!bytes || tensor.row_count() != 1) {
    return fail(Code::kInvalidArgument, "GGUF: 'rope_freqs.weight' is no vector", "rope_freqs.weight");
  }
  if (auto read = dequantize_gguf_row(*tensor.type, *bytes, values); !read) {
    return fail(std::move(read.error()).with("rope_freqs.weight"));
  }
  return Json{{"rope_type", "divisors"}, {"divisors", values}};
}

// Ids that end an answer: those that the file names, and those whose text says so.
std::vector<std::uint64_t> ending_ids(const Gguf& gguf) {
  std::vector<std::uint64_t> ids;
  const auto add = [&](std::uint64_t id) {
    if (std::ranges::find(ids, id) == ids.end()) {
      ids.push_back(id);
    }
  };
  for (const char* key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const auto* id = gguf.find<std::uint64_t>(key)) {
      add(*id);
    }
  }
  const auto* tokens = gguf.find<std::vector<std::string>>("tokenizer.ggml.tokens");
  for (std::size_t id = 0; tokens != nullptr && id < tokens->size(); ++id) {
    if (std::ranges::find(kEndings, (*tokens)[id]) != kEndings.end()) {
      add(id);
    }
  }
  return ids;
}

}  // namespace

Result<std::string> config_of_gguf(const Gguf& gguf, Bytes file) {
  const auto* architecture = gguf.find<std::string>("general.architecture");
  if (architecture == nullptr) {
    return fail(Code::kInvalidArgument, "GGUF: 'general.architecture' is missing", "general.architecture");
  }
  if (std::ranges::find(kArchitectures, *architecture) == kArchitectures.end()) {
    return fail(Code::kOperatorNotSupported,
                "GGUF: the architecture '" + *architecture + "' is not supported; llama, qwen2 and qwen3 are",
                "general.architecture");
  }
  Reader reader(gguf, *architecture + ".");
  const std::uint64_t hidden = reader.count("embedding_length");
  const std::uint64_t heads = reader.count("attention.head_count");
  const std::uint64_t head_dim = reader.has("attention.key_length") ? reader.count("attention.key_length")
                                                                    : std::max<std::uint64_t>(hidden / heads, 1);
  Json config = {
      {"model_type", *architecture},
      {"hidden_size", hidden},
      {"num_hidden_layers", reader.count("block_count")},
      {"num_attention_heads", heads},
      {"num_key_value_heads", reader.has("attention.head_count_kv") ? reader.count("attention.head_count_kv") : heads},
      {"head_dim", head_dim},
      {"rms_norm_eps", reader.number("attention.layer_norm_rms_epsilon")},
      {"rope_theta", reader.has("rope.freq_base") ? reader.number("rope.freq_base") : 10000.0},
      {"max_position_embeddings", reader.count("context_length")},
      {"intermediate_size", reader.count("feed_forward_length")},
      {"rope_scaling", rope_scaling(reader)}};
  if (reader.has("attention.value_length") && reader.count("attention.value_length") != head_dim) {
    reader.refuse(Code::kOperatorNotSupported, "attention.value_length", "the length of a key");
  }
  if (reader.has("rope.dimension_count") && reader.count("rope.dimension_count") != head_dim) {
    reader.refuse(Code::kOperatorNotSupported, "rope.dimension_count", "the length of a key");
  }
  if (const auto* experts = gguf.find<std::uint64_t>(*architecture + ".expert_count");
      experts != nullptr && *experts != 0) {
    reader.refuse(Code::kOperatorNotSupported, "expert_count", "0: mixtures of experts are not supported");
  }
  if (auto good = reader.status(); !good) {
    return fail(std::move(good.error()));
  }
  if (const auto divisors = gguf.tensors.find("rope_freqs.weight"); divisors != gguf.tensors.end()) {
    auto scaling = rope_divisors(divisors->second, file);
    if (!scaling) {
      return fail(std::move(scaling.error()));
    }
    config["rope_scaling"] = std::move(*scaling);
  }
  const auto table = gguf.tensors.find("token_embd.weight");
  if (table == gguf.tensors.end()) {
    return fail(Code::kNotFound, "GGUF: there is no tensor 'token_embd.weight'", "token_embd.weight");
  }
  config["vocab_size"] = table->second.row_count();
  config["eos_token_id"] = ending_ids(gguf);
  return config.dump();
}

std::string checkpoint_name(std::string_view gguf_name) {
  const std::size_t dot = gguf_name.rfind('.');
  const std::string_view suffix = dot == std::string_view::npos ? std::string_view() : gguf_name.substr(dot);
  if (suffix != ".weight" && suffix != ".bias") {
    return {};
  }
  std::string_view stem = gguf_name.substr(0, dot);
  if (const auto name = renamed(kWhole, stem)) {
    return std::string(*name).append(suffix);
  }
  constexpr std::string_view kLayer = "blk.";
  if (!stem.starts_with(kLayer)) {
    return {};
  }
  stem.remove_prefix(kLayer.size());
  const std::size_t end = stem.find('.');
  const std::string_view number = stem.substr(0, end);
  if (end == std::string_view::npos || number.empty() ||
      number.find_first_not_of("0123456789") != std::string_view::npos) {
    return {};
  }
  const auto name = renamed(kOfLayer, stem.substr(end + 1));
  return name ? std::string("model.layers.").append(number).append(".").append(*name).append(suffix) : std::string();
}

bool has_interleaved_rows(std::string_view architecture, std::string_view name) {
  return architecture == "llama" &&
         (name.find(".q_proj.") != std::string_view::npos || name.find(".k_proj.") != std::string_view::npos);
}

}  // namespace shoal::import
