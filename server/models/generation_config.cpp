#include "server/models/generation_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "inference/model_config.pb.h"
#include "server/models/read_file.hpp"
#include "server/text/chat_template.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::models {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kContextKey = "shoal_context";
constexpr std::string_view kKvBitsKey = "shoal_kv_bits";

Result<std::string> text_of(const fs::path& file, std::size_t limit) {
  auto text = read_file(file, limit);
  return text || text.error().code != Code::kNotFound ? text : Result<std::string>();
}

Status read_texts(const fs::path& folder, Tokenizers& tokenizers, GenerationConfig& out) {
  const auto tokenizer = text_of(folder / "tokenizer.json", text::Tokenizer::kMaxFileBytes);
  const auto config = text_of(folder / "tokenizer_config.json", kMaxJsonFileBytes);
  const auto chat = text_of(folder / "chat_template.jinja", text::ChatTemplate::kMaxSourceBytes);
  for (const Result<std::string>* text : {&tokenizer, &config, &chat}) {
    if (!*text) {
      return fail(text->error());
    }
  }
  if (tokenizer->empty()) {
    out.no_chat_reason = "the package has no tokenizer.json";
    return {};
  }
  auto shared = shared_tokenizer(*tokenizer, tokenizers);
  if (!shared) {
    return fail(std::move(shared.error()).with("tokenizer.json"));
  }
  out.tokenizer = std::move(*shared);
  if (chat->empty()) {
    out.no_chat_reason = "the package has no chat_template.jinja";
    return {};
  }
  auto made = text::ChatTemplate::load(*chat, *config);
  if (!made) {
    return fail(std::move(made.error()).with("chat_template.jinja"));
  }
  out.chat_template = std::move(*made);
  return {};
}

}  // namespace

Result<std::optional<std::uint32_t>> context_parameter(const inference::ModelConfig& config) {
  const auto found = config.parameters().find(std::string(kContextKey));
  if (found == config.parameters().end()) {
    return std::nullopt;
  }
  const std::string& text = found->second.string_value();
  std::uint32_t context = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), context);
  if (error != std::errc() || end != text.data() + text.size() || context < 2 || context > kMaxContext) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} is '{}', expected a number of tokens from 2 to {}", kContextKey, text, kMaxContext),
                std::string(kContextKey));
  }
  return context;
}

Result<runtime::KvBits> kv_bits_parameter(const inference::ModelConfig& config) {
  const auto found = config.parameters().find(std::string(kKvBitsKey));
  if (found == config.parameters().end()) {
    return kDefaultKvBits;
  }
  auto bits = runtime::parse_kv_bits(found->second.string_value());
  return bits ? bits
              : fail(Code::kInvalidArgument, fmt::format("{}: {}", kKvBitsKey, bits.error().message),
                     std::string(kKvBitsKey));
}

Result<GenerationConfig> read_generation(const fs::path& folder, const package::Description& description,
                                         std::optional<std::uint32_t> context, Tokenizers& tokenizers) {
  if (context && description.context > 0 && *context > description.context) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} is {}, the model has {} positions", kContextKey, *context, description.context),
                std::string(kContextKey));
  }
  GenerationConfig out;
  out.model_class = description.model_class;
  const std::uint32_t usual = description.model_class == archs::ModelClass::kDecoder ? kDefaultContext : kDefaultMemory;
  out.context = context.value_or(description.context == 0 ? usual : std::min(usual, description.context));
  out.vocabulary = description.vocabulary;
  out.decoder_start = std::max(description.decoder_start, 0);
  for (const std::int32_t id : description.eos) {
    if (id >= 0) {
      out.stop_ids.push_back(static_cast<std::uint32_t>(id));
    }
  }
  if (auto read = read_texts(folder, tokenizers, out); !read) {
    return fail(std::move(read.error()));
  }
  return out;
}

std::map<std::string, std::uint64_t> generation_limits(const GenerationConfig& generation, runtime::KvBits kv) {
  const bool is_decoder = generation.model_class == archs::ModelClass::kDecoder;
  std::map<std::string, std::uint64_t> out = {{"B", 1}, {"N", 1}, {"R", 1}, {"S", generation.context}};
  out["T"] = is_decoder ? std::min(generation.context, kPromptChunk) : generation.context;
  if (!is_decoder) {
    out["M"] = generation.context;
  }
  out["K"] = kv.keys;
  out["V"] = kv.values;
  return out;
}

}  // namespace shoal::models
