// How a package's model that generates wants to be used: its tokenizer, its chat template, and what an answer takes at
// most. Reads files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"
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

// Answers that a browser makes at once.
inline constexpr std::uint32_t kMaxParallel = 16;
// What their keys and values may take where nobody says how many answers.
inline constexpr std::uint64_t kStateBytes = std::uint64_t{1} << 30U;

// Of the configuration's parameters.
struct GenerationSettings {
  std::optional<std::uint32_t> context;   // `shoal_context`
  std::optional<std::uint32_t> parallel;  // `shoal_parallel`
};
// kInvalidArgument unless they are numbers from 2 to kMaxContext and from 1 to kMaxParallel.
Result<GenerationSettings> generation_settings(const inference::ModelConfig& config);
// `shoal_kv_bits`: "8" or "8,4", else kDefaultKvBits. kInvalidArgument.
Result<runtime::KvBits> kv_bits_parameter(const inference::ModelConfig& config);

// kInvalidArgument for a context beyond the model's own, for a broken tokenizer and a broken template. `parallel` is 0
// where the settings do not say it, until set_limits().
Result<GenerationConfig> read_generation(const std::filesystem::path& folder, const package::Description& description,
                                         const GenerationSettings& settings, Tokenizers& tokenizers);

// The largest extents of a step and of the state, the bits of keys and values, and how many answers go on at once where
// that is open.
Status set_limits(const graph::Plan& plan, runtime::KvBits kv, GenerationConfig& generation, PlanConfig& out);

}  // namespace shoal::models
