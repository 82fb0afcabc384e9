// Log probabilities of tokens, as an API tells them beside an answer.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace shoal::runtime {

inline constexpr std::uint32_t kMaxTopLogprobs = 20;

// Natural logarithms of probabilities.
struct TokenLogprobs {
  float chosen = 0;
  std::vector<std::pair<std::int32_t, float>> top{};  // the likeliest first, of equals the lowest id
};

// By the softmax of the logits with the biases. An impossible token has minus infinity. Requires: ids are those of
// logits, `top` is at most their count.
TokenLogprobs logprobs_of(std::span<const float> logits, std::span<const std::pair<std::int32_t, float>> biases,
                          std::int32_t chosen, std::uint32_t top);

}  // namespace shoal::runtime
