#include "engine/import/gguf_tokenizer.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace shoal::import {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

// Kinds of tokens, by the numbers of tokenizer.ggml.token_type.
constexpr std::int64_t kUnknown = 2;
constexpr std::int64_t kControl = 3;
constexpr std::int64_t kUserDefined = 4;

// How text is cut before pairs are merged.
enum class Split : std::uint8_t { kGpt2, kDigits, kLlama3, kQwen2 };

struct SplitRow {
  std::string_view name;  // tokenizer.ggml.pre
  Split split;
};
constexpr auto kSplits = std::to_array<SplitRow>({
    {"gpt-2", Split::kGpt2},
    {"smollm", Split::kDigits},
    {"llama-bpe", Split::kLlama3},
    {"llama3", Split::kLlama3},
    {"llama-v3", Split::kLlama3},
    {"qwen2", Split::kQwen2},
});

// The expression of Llama 3; Qwen 2 takes digits one by one.
std::string word_pattern(std::string_view digits) {
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + std::string(digits) +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

Json pre_tokenizer(Split split) {
  const bool is_gpt2 = split == Split::kGpt2 || split == Split::kDigits;
  const Json bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", is_gpt2}};
  if (split == Split::kGpt2) {
    return bytes;
  }
  Json first = {{"type", "Digits"}, {"individual_digits", true}};
  if (split != Split::kDigits) {
    const std::string pattern = word_pattern(split == Split::kLlama3 ? R"(\p{N}{1,3})" : R"(\p{N})");
    first = {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  }
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({std::move(first), bytes})}};
}

std::unexpected<Error> bad(std::string_view key, std::string_view what) {
  return fail(Code::kInvalidArgument, "GGUF: '" + std::string(key) + "' " + std::string(what), std::string(key));
}

// The token that a key names by its id, if the file has the key.
Result<std::optional<std::uint64_t>> special_id(const Gguf& gguf, const std::string& key, std::size_t vocabulary) {
  const auto found = gguf.values.find(key);
  if (found == gguf.values.end()) {
    return std::nullopt;
  }
  const auto* id = std::get_if<std::uint64_t>(&found->second);
  // A file whose model has no such token says -1 as an unsigned number.
  if (id != nullptr && *id == 0xFFFFFFFFU) {
    return std::nullopt;
  }
  return id != nullptr && *id < vocabulary ? Result<std::optional<std::uint64_t>>(*id) : bad(key, "is no token's id");
}

Result<Json> model_of(const Gguf& gguf, const Words& tokens, Split split) {
  Json vocabulary = Json::object();
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    vocabulary[tokens[id]] = id;
  }
  if (vocabulary.size() != tokens.size()) {
    return bad("tokenizer.ggml.tokens", "has a token twice");
  }
  const auto* merges = gguf.find<Words>("tokenizer.ggml.merges");
  if (merges == nullptr) {
    return bad("tokenizer.ggml.merges", "is no list of texts");
  }
  return Json{{"type", "BPE"},
              {"dropout", nullptr},
              {"unk_token", nullptr},
              {"continuing_subword_prefix", nullptr},
              {"end_of_word_suffix", nullptr},
              {"fuse_unk", false},
              {"byte_fallback", false},
              {"ignore_merges", split == Split::kLlama3},
              {"vocab", std::move(vocabulary)},
              {"merges", *merges}};
}

// Tokens that are taken out of a text before it is split.
Result<Json> added_tokens(const Gguf& gguf, const Words& tokens) {
  Json out = Json::array();
  const auto* kinds = gguf.find<std::vector<std::int64_t>>("tokenizer.ggml.token_type");
  if (kinds == nullptr) {
    return gguf.values.contains("tokenizer.ggml.token_type") ? bad("tokenizer.ggml.token_type", "is no list of numbers")
                                                             : Result<Json>(std::move(out));
  }
  if (kinds->size() != tokens.size()) {
    return bad("tokenizer.ggml.token_type", "has another length than tokenizer.ggml.tokens");
  }
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::int64_t kind = (*kinds)[id];
    if (kind == kUnknown || kind == kControl || kind == kUserDefined) {
      out.push_back({{"id", id},
                     {"content", tokens[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", kind != kUserDefined}});
    }
  }
  return out;
}

// Puts the first token of a text before it, and the last one behind.
Json post_processor(const Words& tokens, std::optional<std::uint64_t> bos, std::optional<std::uint64_t> eos) {
  if (!bos && !eos) {
    return nullptr;
  }
  const auto special = [&](std::uint64_t id) -> Json {
    return {{"SpecialToken", {{"id", tokens[id]}, {"type_id", 0}}}};
  };
  Json single = Json::array();
  Json pair = Json::array();
  Json known = Json::object();
  for (const std::optional<std::uint64_t>& id : {bos, eos}) {
    if (id) {
      known[tokens[*id]] = {{"id", tokens[*id]}, {"ids", {*id}}, {"tokens", {tokens[*id]}}};
    }
  }
  for (const char* name : {"A", "B"}) {
    Json part = Json::array();
    if (bos) {
      part.push_back(special(*bos));
    }
    part.push_back({{"Sequence", {{"id", name}, {"type_id", name[0] - 'A'}}}});
    if (eos) {
      part.push_back(special(*eos));
    }
    if (name[0] == 'A') {
      single = part;
    }
    pair.insert(pair.end(), part.begin(), part.end());
  }
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(known)}};
}

Result<Split> split_of(const Gguf& gguf) {
  const auto* model = gguf.find<std::string>("tokenizer.ggml.model");
  if (model == nullptr || *model != "gpt2") {
    return fail(Code::kOperatorNotSupported,
                "GGUF: the tokenizer '" + (model == nullptr ? std::string() : *model) + "' is not supported; 'gpt2' is",
                "tokenizer.ggml.model");
  }
  const auto* pre = gguf.find<std::string>("tokenizer.ggml.pre");
  const std::string_view name = pre == nullptr ? std::string_view() : *pre;
  const auto found = std::ranges::find(kSplits, name, &SplitRow::name);
  if (found == kSplits.end()) {
    return fail(Code::kOperatorNotSupported,
                "GGUF: the way to split text '" + std::string(name) +
                    "' is not supported; gpt-2, smollm, llama-bpe and qwen2 are",
                "tokenizer.ggml.pre");
  }
  return found->split;
}

}  // namespace

Result<TokenizerFiles> tokenizer_of_gguf(const Gguf& gguf) {
  if (!gguf.values.contains("tokenizer.ggml.model")) {
    return TokenizerFiles();
  }
  const auto split = split_of(gguf);
  if (!split) {
    return fail(split.error());
  }
  const auto* tokens = gguf.find<Words>("tokenizer.ggml.tokens");
  if (tokens == nullptr || tokens->empty()) {
    return bad("tokenizer.ggml.tokens", "is no list of texts");
  }
  Json config = {{"clean_up_tokenization_spaces", false}};
  std::optional<std::uint64_t> around[2];
  for (const char* name : {"bos", "eos", "unknown", "padding"}) {
    const auto id = special_id(gguf, "tokenizer.ggml." + std::string(name) + "_token_id", tokens->size());
    if (!id) {
      return fail(id.error());
    }
    if (!*id) {
      continue;
    }
    const std::string word(name);
    config[word == "unknown" ? "unk_token" : word == "padding" ? "pad_token" : word + "_token"] = (*tokens)[**id];
    const auto* is_added = gguf.find<bool>("tokenizer.ggml.add_" + word + "_token");
    const bool is_default = word == "bos" && *split == Split::kLlama3;
    if (is_added != nullptr ? *is_added : is_default) {
      around[word == "eos" ? 1 : 0] = *id;
    }
  }
  auto model = model_of(gguf, *tokens, *split);
  auto added = added_tokens(gguf, *tokens);
  if (!model || !added) {
    return fail(std::move(!model ? model.error() : added.error()));
  }
  const Json tokenizer = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", std::move(*added)},
      {"normalizer", *split == Split::kQwen2 ? Json{{"type", "NFC"}} : Json(nullptr)},
      {"pre_tokenizer", pre_tokenizer(*split)},
      {"post_processor", post_processor(*tokens, around[0], around[1])},
      {"decoder", {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}},
      {"model", std::move(*model)}};
  // A token that is no UTF-8 would make the text unreadable: JSON writes U+FFFD, and the vocabulary check finds
  // doubles.
  return TokenizerFiles{.tokenizer = tokenizer.dump(-1, ' ', false, Json::error_handler_t::replace),
                        .tokenizer_config = config.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

}  // namespace shoal::import
