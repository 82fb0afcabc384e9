// How likely a token was that a model has made. A value.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace shoal::dispatch {

// Natural logarithms of probabilities, before penalties and temperature.
struct TokenLogprobs {
  float logprob = 0;                                         // of the token
  std::vector<std::pair<std::uint32_t, float>> likely = {};  // ids and their own, the likeliest first
};

}  // namespace shoal::dispatch
