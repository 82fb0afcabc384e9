#include "server/models/generation_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "engine/runtime/memory.hpp"
#include "inference/model_config.pb.h"
#include "server/models/read_file.hpp"
#include "server/text/chat_template.hpp"
#include "server/text/grammars.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::models {
namespace {

namespace fs = std::filesystem;
using graph::Symbol;

constexpr std::string_view kContextKey = "shoal_context";
constexpr std::string_view kKvBitsKey = "shoal_kv_bits";
constexpr std::string_view kParallelKey = "shoal_parallel";

// Of the configuration's parameters: a number within bounds, or nothing where there is none.
Result<std::optional<std::uint32_t>> number_parameter(const inference::ModelConfig& config, std::string_view key,
                                                      std::uint32_t least, std::uint32_t most,
                                                      std::string_view of_what) {
  const auto found = config.parameters().find(std::string(key));
  if (found == config.parameters().end()) {
    return std::nullopt;
  }
  const std::string& text = found->second.string_value();
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} is '{}', expected a number of {} from {} to {}", key, text, of_what, least, most),
                std::string(key));
  }
  return number;
}

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

Result<GenerationSettings> generation_settings(const inference::ModelConfig& config) {
  const auto context = number_parameter(config, kContextKey, 2, kMaxContext, "tokens");
  const auto parallel = number_parameter(config, kParallelKey, 1, kMaxParallel, "answers at once");
  if (!context || !parallel) {
    return fail(context ? parallel.error() : context.error());
  }
  return GenerationSettings{.context = *context, .parallel = *parallel};
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
                                         const GenerationSettings& settings, Tokenizers& tokenizers) {
  const std::optional<std::uint32_t> context = settings.context;
  if (context && description.context > 0 && *context > description.context) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} is {}, the model has {} positions", kContextKey, *context, description.context),
                std::string(kContextKey));
  }
  GenerationConfig out;
  out.model_class = description.model_class;
  const std::uint32_t usual = description.model_class == archs::ModelClass::kDecoder ? kDefaultContext : kDefaultMemory;
  out.context = context.value_or(description.context == 0 ? usual : std::min(usual, description.context));
  out.parallel = settings.parallel.value_or(0);
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
  if (out.tokenizer != nullptr) {
    out.grammars = std::make_shared<const text::Grammars>(out.tokenizer, out.stop_ids, out.vocabulary);
  }
  return out;
}

Status set_limits(const graph::Plan& plan, runtime::KvBits kv, GenerationConfig& generation, PlanConfig& out) {
  const bool is_decoder = generation.model_class == archs::ModelClass::kDecoder;
  const auto limits_for = [&](std::uint32_t answers) {
    graph::Extents limits;
    limits[Symbol::kRows] = limits[Symbol::kSlots] = limits[Symbol::kOutputs] = answers;
    limits[Symbol::kContext] = generation.context;
    limits[Symbol::kTokens] =
        std::max(answers, is_decoder ? std::min(generation.context, kPromptChunk) : generation.context);
    limits[Symbol::kMemory] = is_decoder ? 0 : generation.context;
    return limits;
  };
  if (generation.parallel == 0) {
    const auto one = runtime::memory_of(plan, limits_for(1), 1, kv);
    if (!one) {
      return fail(one.error());
    }
    generation.parallel = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(kStateBytes / std::max<std::uint64_t>(one->state, 1), 1, kMaxParallel));
  }
  const graph::Extents limits = limits_for(generation.parallel);
  for (std::size_t symbol = 1; symbol < graph::kSymbolCount; ++symbol) {
    if (limits.of.at(symbol) > 0) {
      out.limits[std::string(graph::kSymbolNames.at(symbol))] = limits.of.at(symbol);
    }
  }
  out.limits["K"] = kv.keys;
  out.limits["V"] = kv.values;
  return {};
}

}  // namespace shoal::models
