// How a package's model that generates wants to be used: its tokenizer, its chat template, and what an answer takes at
// most. Reads files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "engine/core/result.hpp"
#include "engine/package/description.hpp"
#include "engine/runtime/kv_cache.hpp"
#include "server/models/embedding_config.hpp"
#include "server/models/model.hpp"

namespace shoal::models {

// Tokens of prompt and answer where nobody says it: keys and values of all of them are reserved when a browser loads
// the model.
inline constexpr std::uint32_t kDefaultContext = 4096;
inline constexpr std::uint32_t kMaxContext = 131'072;
// Nothing that sampling could tell from 32, and half the memory.
inline constexpr runtime::KvBits kDefaultKvBits = {.keys = 16, .values = 16};
// Of an encoder-decoder, which reads its prompt in one step.
inline constexpr std::uint32_t kDefaultMemory = 1024;
// Tokens of a prompt in one step.
inline constexpr std::uint32_t kPromptChunk = 128;

// `shoal_context` of the configuration's parameters. kInvalidArgument unless it is a number from 2 to kMaxContext.
Result<std::optional<std::uint32_t>> context_parameter(const inference::ModelConfig& config);
// `shoal_kv_bits`: "8" or "8,4", else kDefaultKvBits. kInvalidArgument.
Result<runtime::KvBits> kv_bits_parameter(const inference::ModelConfig& config);

// kInvalidArgument for a context beyond the model's own, for a broken tokenizer and a broken template.
Result<GenerationConfig> read_generation(const std::filesystem::path& folder, const package::Description& description,
                                         std::optional<std::uint32_t> context, Tokenizers& tokenizers);

// The largest extents of a step and of the state, one sequence at a time, and the bits of keys and values.
std::map<std::string, std::uint64_t> generation_limits(const GenerationConfig& generation, runtime::KvBits kv);

}  // namespace shoal::models
