#include "engine/runtime/logprobs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/kernels/four.hpp"

namespace shoal::runtime {
namespace {

// log of the sum of e^logit, in one order.
double log_sum(std::span<const float> logits, float highest) {
  double sum = 0;
  for (std::size_t index = 0; index < logits.size(); index += kernels::kFour) {
    const std::size_t count = std::min(kernels::kFour, logits.size() - index);
    float four[kernels::kFour] = {};
    for (std::size_t at = 0; at < count; ++at) {
      four[at] = logits[index + at] - highest;
    }
    float powers[kernels::kFour] = {};
    kernels::store_some(powers, kernels::exp4(kernels::load4(four)), count);
    for (std::size_t at = 0; at < count; ++at) {
      sum += static_cast<double>(powers[at]);
    }
  }
  return std::log(sum) + static_cast<double>(highest);
}

}  // namespace

TokenLogprobs logprobs_of(std::span<const float> logits, std::span<const std::pair<std::int32_t, float>> biases,
                          std::int32_t chosen, std::uint32_t top) {
  std::vector<float> biased;
  if (!biases.empty()) {
    biased.assign(logits.begin(), logits.end());
    for (const auto& [id, bias] : biases) {
      biased[static_cast<std::size_t>(id)] += bias;
    }
    logits = biased;
  }
  const double all = log_sum(logits, *std::ranges::max_element(logits));
  const auto logprob = [&](std::int32_t id) {
    return static_cast<float>(static_cast<double>(logits[static_cast<std::size_t>(id)]) - all);
  };
  TokenLogprobs out{.chosen = logprob(chosen)};
  std::vector<std::int32_t> best;  // the likeliest first
  for (std::int32_t id = 0; top > 0 && static_cast<std::size_t>(id) < logits.size(); ++id) {
    const float logit = logits[static_cast<std::size_t>(id)];
    if (best.size() == top && logit <= logits[static_cast<std::size_t>(best.back())]) {
      continue;
    }
    const auto behind =
        std::ranges::find_if(best, [&](std::int32_t other) { return logits[static_cast<std::size_t>(other)] < logit; });
    best.insert(behind, id);
    best.resize(std::min<std::size_t>(best.size(), top));
  }
  for (const std::int32_t id : best) {
    out.top.emplace_back(id, logprob(id));
  }
  return out;
}

}  // namespace shoal::runtime
