// The plainest generation: the likeliest token each time. All sequences advance in one step. The oracle of what any
// other way to batch, chunk or schedule must answer.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/runtime/executor.hpp"

namespace shoal::runtime {

struct GreedyOptions {
  std::uint32_t max_new_tokens = 0;
  std::uint32_t chunk = 0;              // tokens of a prompt in one step; 0 is all
  std::span<const std::int32_t> eos{};  // a sequence ends before one of these
  // First token of the answer where an encoder reads the prompt; -1 where there is no encoder.
  std::int32_t decoder_start = -1;
  // Told of each token as it is made; false ends the generation.
  std::function<bool(std::size_t sequence, std::int32_t token)> on_token{};
};

// New tokens of each prompt. Sequence i lives in slot i. Errors are those of Executor::run().
Result<std::vector<std::vector<std::int32_t>>> greedy(Executor& executor,
                                                      std::span<const std::vector<std::int32_t>> prompts,
                                                      const GreedyOptions& options);

// Index of the largest number; of several the first.
std::int32_t likeliest(std::span<const float> logits);

}  // namespace shoal::runtime
