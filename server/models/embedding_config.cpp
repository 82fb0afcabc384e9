#include "server/models/embedding_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "server/core/ids.hpp"
#include "server/models/read_file.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::models {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kDefaultMaxTokens = 512;
constexpr std::int64_t kLargestMaxTokens = 1 << 20;

std::unexpected<Error> unsuitable(std::string message) { return fail(Code::kNotFound, std::move(message)); }
std::unexpected<Error> bad(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

// null where there is no such file.
Result<Json> read_json(const std::filesystem::path& file) {
  const auto text = read_file(file, kMaxJsonFileBytes);
  if (!text) {
    return text.error().code == Code::kNotFound ? Result<Json>(Json()) : fail(text.error());
  }
  Json parsed = Json::parse(*text, nullptr, false);
  if (parsed.is_discarded()) {
    return bad(fmt::format("{} is not JSON", file.string()));
  }
  return parsed;
}

std::optional<std::int64_t> number(const Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_number_integer()) {
    return std::nullopt;
  }
  return object[key].get<std::int64_t>();
}

std::string text_or_empty(const Json& object, const char* key) {
  const bool is_there = object.is_object() && object.contains(key) && object[key].is_string();
  return is_there ? object[key].get<std::string>() : std::string();
}

Status check_inputs(const ModelVersion& model) {
  for (const TensorSignature& input : model.inputs) {
    const bool is_known = input.name == "input_ids" || input.name == "attention_mask" || input.name == "token_type_ids";
    const bool is_fitting = (input.datatype == DataType::kInt64 || input.datatype == DataType::kInt32) &&
                            (!input.has_rank || input.dims.size() == 2);
    if (!is_known || !is_fitting) {
      return unsuitable(fmt::format("input '{}' is not one of a sentence encoder", input.name));
    }
  }
  if (model.input("input_ids") == nullptr || model.input("attention_mask") == nullptr) {
    return unsuitable("the graph does not take input_ids and attention_mask");
  }
  return {};
}

// The output with one vector per token.
Result<const TensorSignature*> token_states(const ModelVersion& model, bool has_modules) {
  const auto is_candidate = [](const TensorSignature& output) {
    return output.datatype == DataType::kFp32 && (!output.has_rank || output.dims.size() == 3);
  };
  for (const std::string_view name : {"last_hidden_state", "token_embeddings", "hidden_states"}) {
    const TensorSignature* output = model.output(name);
    if (output != nullptr && is_candidate(*output)) {
      return output;
    }
  }
  const auto found = std::ranges::find_if(
      model.outputs, [&](const TensorSignature& output) { return output.has_rank && is_candidate(output); });
  if (!has_modules || found == model.outputs.end()) {
    return unsuitable("no output of the graph is token states (last_hidden_state)");
  }
  return &*found;
}

struct Modules {
  bool has_file = false;
  bool normalize = false;
  std::string pooling_folder = "1_Pooling";
};

Result<Modules> read_modules(const std::filesystem::path& folder) {
  const auto file = read_json(folder / "modules.json");
  if (!file) {
    return fail(file.error());
  }
  Modules modules;
  if (file->is_null()) {
    return modules;
  }
  if (!file->is_array()) {
    return bad("modules.json is not a list");
  }
  modules.has_file = true;
  for (const Json& entry : *file) {
    const std::string type = text_or_empty(entry, "type");
    const std::string kind = type.substr(type.rfind('.') + 1);
    if (kind == "Pooling") {
      modules.pooling_folder = text_or_empty(entry, "path");
    } else if (kind == "Normalize") {
      modules.normalize = true;
    } else if (kind != "Transformer") {
      return bad(
          fmt::format("modules.json: module '{}' is not supported; Transformer, Pooling and Normalize are", kind));
    }
  }
  // The folder name comes out of a file and goes into a path.
  if (modules.pooling_folder.find("..") != std::string::npos || modules.pooling_folder.starts_with('/')) {
    return bad(fmt::format("modules.json: the path '{}' leaves the model's folder", modules.pooling_folder));
  }
  return modules;
}

Result<Pooling::Kind> read_pooling(const std::filesystem::path& file) {
  const auto config = read_json(file);
  if (!config) {
    return fail(config.error());
  }
  if (config->is_null()) {
    return Pooling::Kind::kMean;
  }
  std::vector<std::string> modes;
  for (const auto& [key, value] : config->items()) {
    if (key.starts_with("pooling_mode_") && value.is_boolean() && value.get<bool>()) {
      modes.push_back(key.substr(std::string_view("pooling_mode_").size()));
    }
  }
  if (modes.size() == 1 && modes[0] == "mean_tokens") {
    return Pooling::Kind::kMean;
  }
  if (modes.size() == 1 && modes[0] == "cls_token") {
    return Pooling::Kind::kCls;
  }
  return bad(fmt::format("{}: exactly one of pooling_mode_mean_tokens and pooling_mode_cls_token must be true",
                         file.string()));
}

// RoBERTa and its kin number positions from padding_idx + 1 on.
std::int64_t position_offset(const Json& config) {
  constexpr std::array<std::string_view, 5> kOffsetTypes = {"roberta", "xlm-roberta", "camembert", "mpnet",
                                                            "xlm-roberta-xl"};
  if (std::ranges::find(kOffsetTypes, text_or_empty(config, "model_type")) == kOffsetTypes.end()) {
    return 0;
  }
  return number(config, "pad_token_id").value_or(1) + 1;
}

Result<std::int64_t> max_tokens_of(const std::filesystem::path& folder, const Json& config) {
  std::optional<std::int64_t> limit = number(config, "max_position_embeddings");
  if (limit) {
    limit = *limit - position_offset(config);
  } else {
    const auto sentence = read_json(folder / "sentence_bert_config.json");
    if (!sentence) {
      return fail(sentence.error());
    }
    limit = number(*sentence, "max_seq_length");
  }
  const std::int64_t tokens = limit.value_or(kDefaultMaxTokens);
  if (tokens < 1 || tokens > kLargestMaxTokens) {
    return bad(fmt::format("config.json allows {} tokens, which is not a usable limit", tokens));
  }
  return tokens;
}

}  // namespace

Result<std::optional<SentenceStyle>> read_sentence_style(const std::filesystem::path& folder) {
  const auto modules = read_modules(folder);
  if (!modules) {
    return fail(modules.error());
  }
  if (!modules->has_file) {
    return std::nullopt;
  }
  const auto pooling = read_pooling(folder / modules->pooling_folder / "config.json");
  if (!pooling) {
    return fail(pooling.error());
  }
  return SentenceStyle{.pooling = *pooling, .is_normalized = modules->normalize};
}

Result<std::shared_ptr<const text::Tokenizer>> shared_tokenizer(const std::string& json, Tokenizers& tokenizers) {
  std::weak_ptr<const text::Tokenizer>& known = tokenizers[sha256_hex(json.data(), json.size())];
  if (auto shared = known.lock()) {
    return shared;
  }
  auto loaded = text::Tokenizer::load(as_bytes(json));
  if (loaded) {
    known = *loaded;
  }
  return loaded;
}

Result<EmbeddingConfig> read_embedding_config(const std::filesystem::path& folder, const ModelVersion& model,
                                              Tokenizers& tokenizers) {
  const auto tokenizer_json = read_file(folder / "tokenizer.json", text::Tokenizer::kMaxFileBytes);
  if (!tokenizer_json) {
    return fail(tokenizer_json.error());
  }
  if (auto fitting = check_inputs(model); !fitting) {
    return fail(std::move(fitting.error()));
  }
  const auto modules = read_modules(folder);
  const auto config = read_json(folder / "config.json");
  if (!modules || !config) {
    return fail(modules ? config.error() : modules.error());
  }
  const auto states = token_states(model, modules->has_file);
  if (!states) {
    return fail(states.error());
  }
  const auto pooling = read_pooling(folder / modules->pooling_folder / "config.json");
  const auto max_tokens = max_tokens_of(folder, *config);
  if (!pooling || !max_tokens) {
    return fail(pooling ? max_tokens.error() : pooling.error());
  }
  const bool has_width = (*states)->has_rank && (*states)->dims[2] > 0;
  const std::int64_t width = has_width ? (*states)->dims[2] : number(*config, "hidden_size").value_or(0);
  if (width < 1 || width > kLargestMaxTokens) {
    return bad(
        fmt::format("output '{}' has no known width: neither the graph nor config.json says it", (*states)->name));
  }
  auto tokenizer = shared_tokenizer(*tokenizer_json, tokenizers);
  if (!tokenizer) {
    return fail(std::move(tokenizer.error()));
  }
  const auto pad = (*tokenizer)->pad_id();
  return EmbeddingConfig{.tokenizer = *tokenizer,
                         .max_tokens = static_cast<std::uint32_t>(*max_tokens),
                         .pad_id = pad ? *pad
                                       : static_cast<std::uint32_t>(
                                             std::max<std::int64_t>(0, number(*config, "pad_token_id").value_or(0))),
                         .pooling = {.kind = *pooling,
                                     .normalize = modules->normalize,
                                     .output = (*states)->name,
                                     .mask = "attention_mask"},
                         .width = static_cast<std::uint32_t>(width)};
}

Buckets default_embedding_buckets(const ModelVersion& model, const EmbeddingConfig& embedding) {
  const TensorSignature& ids = *model.input("input_ids");
  Buckets buckets;
  if (!ids.has_rank || ids.dims[0] >= 0 || ids.dims[1] >= 0 || ids.dim_names[0].empty() || ids.dim_names[1].empty()) {
    return buckets;
  }
  buckets[ids.dim_names[0]] = {1};
  std::vector<std::int64_t>& lengths = buckets[ids.dim_names[1]];
  for (const std::int64_t length : {32, 128, 512}) {
    if (length < embedding.max_tokens) {
      lengths.push_back(length);
    }
  }
  lengths.push_back(std::min<std::int64_t>(embedding.max_tokens, 512));
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  return buckets;
}

}  // namespace shoal::models
