#include "engine/runtime/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "engine/kernels/four.hpp"
#include "engine/runtime/greedy.hpp"

namespace shoal::runtime {
namespace {

constexpr std::size_t kFirstSorted = 256;

// The finaliser of SplitMix64: every bit of the input changes half of the output's.
std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31);
}

std::unexpected<Error> bad(std::string_view option, std::string_view expected) {
  return fail(Code::kInvalidArgument, std::string(option) + ": expected " + std::string(expected), std::string(option));
}

Status check(const SamplingOptions& options, std::uint32_t vocabulary) {
  const auto is_within = [](float value, float low, float high) { return value >= low && value <= high; };
  constexpr float kMost = 1e6F;
  if (!is_within(options.temperature, 0, kMost)) {
    return bad("temperature", "a number from 0 to 1000000");
  }
  if (!is_within(options.top_p, 0, 1) || options.top_p == 0) {
    return bad("top_p", "a number above 0 and up to 1");
  }
  if (!is_within(options.min_p, 0, 1)) {
    return bad("min_p", "a number from 0 to 1");
  }
  if (!is_within(options.repetition_penalty, 0, kMost) || options.repetition_penalty == 0) {
    return bad("repetition_penalty", "a number above 0");
  }
  if (!is_within(options.presence_penalty, -kMost, kMost)) {
    return bad("presence_penalty", "a number");
  }
  if (!is_within(options.frequency_penalty, -kMost, kMost)) {
    return bad("frequency_penalty", "a number");
  }
  if (options.logit_bias.size() > kMaxLogitBiases) {
    return bad("logit_bias", "at most " + std::to_string(kMaxLogitBiases) + " tokens");
  }
  for (const auto& [id, bias] : options.logit_bias) {
    if (id < 0 || static_cast<std::uint32_t>(id) >= vocabulary || std::isnan(bias)) {
      return bad("logit_bias", "numbers by ids of tokens below " + std::to_string(vocabulary));
    }
  }
  return {};
}

}  // namespace

double uniform_at(std::uint64_t seed, std::uint64_t counter) {
  const std::uint64_t bits = mixed(mixed(seed + 0x9E3779B97F4A7C15U) + (counter + 1) * 0x9E3779B97F4A7C15U);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

Result<Sampler> Sampler::make(SamplingOptions options, std::uint32_t vocabulary) {
  if (auto fits = check(options, vocabulary); !fits) {
    return fail(std::move(fits.error()));
  }
  return Sampler(std::move(options), vocabulary);
}

Sampler::Sampler(SamplingOptions options, std::uint32_t vocabulary) : options_(std::move(options)) {
  has_penalties_ =
      options_.repetition_penalty != 1 || options_.presence_penalty != 0 || options_.frequency_penalty != 0;
  if (has_penalties_) {
    is_seen_.resize(vocabulary);
    times_.resize(vocabulary);
  }
  if (!options_.logit_bias.empty()) {
    bias_.resize(vocabulary);
    for (const auto& [id, bias] : options_.logit_bias) {
      bias_[static_cast<std::size_t>(id)] = bias;
    }
  }
  is_plain_ = !has_penalties_ && bias_.empty();
  candidates_.reserve(vocabulary);
  weights_.reserve(vocabulary);
}

void Sampler::see_prompt(std::int32_t token) {
  if (has_penalties_) {
    is_seen_[static_cast<std::size_t>(token)] = 1;
  }
}

void Sampler::see_answer(std::int32_t token) {
  ++answer_size_;
  if (has_penalties_) {
    is_seen_[static_cast<std::size_t>(token)] = 1;
    ++times_[static_cast<std::size_t>(token)];
  }
}

float Sampler::penalized(std::size_t id, float logit) const {
  if (!bias_.empty()) {
    logit += bias_[id];
  }
  if (has_penalties_ && is_seen_[id] != 0) {
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    if (times_[id] != 0) {
      logit -= options_.presence_penalty + options_.frequency_penalty * static_cast<float>(times_[id]);
    }
  }
  return logit;
}

// Infinitely unlikely ones are no candidates, and neither is what is no number.
void Sampler::collect(std::span<const float> logits) {
  candidates_.clear();
  sorted_ = 0;
  const float factor = options_.temperature > 0 ? 1 / options_.temperature : 1;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const float logit = (is_plain_ ? logits[id] : penalized(id, logits[id])) * factor;
    if (logit > -std::numeric_limits<float>::infinity()) {
      candidates_.push_back({std::min(logit, std::numeric_limits<float>::max()), static_cast<std::int32_t>(id)});
    }
  }
}

void Sampler::weigh() {
  float highest = candidates_.front().logit;
  for (const Candidate& one : candidates_) {
    highest = std::max(highest, one.logit);
  }
  weights_.resize(candidates_.size());
  std::size_t index = 0;
  for (; index < candidates_.size(); index += kernels::kFour) {
    const std::size_t count = std::min(kernels::kFour, candidates_.size() - index);
    float four[kernels::kFour] = {};
    for (std::size_t at = 0; at < count; ++at) {
      four[at] = candidates_[index + at].logit - highest;
    }
    kernels::store_some(weights_.data() + index, kernels::exp4(kernels::load4(four)), count);
  }
}

void Sampler::sort_first(std::size_t count) {
  const auto is_likelier = [](const Candidate& left, const Candidate& right) {
    return left.logit != right.logit ? left.logit > right.logit : left.id < right.id;
  };
  count = std::min(count, candidates_.size());
  const auto begin = candidates_.begin() + static_cast<std::ptrdiff_t>(sorted_);
  const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(count);
  if (begin < end) {
    std::nth_element(begin, end - 1, candidates_.end(), is_likelier);
    std::sort(begin, end, is_likelier);
    sorted_ = count;
  }
}

void Sampler::keep_top_k() {
  if (options_.top_k != 0 && options_.top_k < candidates_.size()) {
    sort_first(options_.top_k);
    candidates_.resize(options_.top_k);
  }
}

// Sums in an order that does not depend on how a library partitions: by id before anything is sorted, else as sorted.
void Sampler::keep_top_p() {
  if (options_.top_p >= 1) {
    return;
  }
  weigh();
  double total = 0;
  for (const float weight : weights_) {
    total += static_cast<double>(weight);
  }
  const double wanted = total * static_cast<double>(options_.top_p);
  double sum = 0;
  std::size_t kept = 0;
  for (std::size_t most = kFirstSorted; sum < wanted && kept < candidates_.size(); most *= 4) {
    sort_first(most);
    weigh();
    while (sum < wanted && kept < sorted_) {
      sum += static_cast<double>(weights_[kept++]);
    }
  }
  candidates_.resize(std::max<std::size_t>(kept, 1));
}

void Sampler::keep_min_p() {
  if (options_.min_p <= 0) {
    return;
  }
  weigh();
  std::size_t kept = 0;
  for (std::size_t index = 0; index < candidates_.size(); ++index) {
    if (weights_[index] >= options_.min_p) {
      candidates_[kept++] = candidates_[index];
    }
  }
  candidates_.resize(kept);
}

std::int32_t Sampler::draw() const {
  double total = 0;
  for (const float weight : weights_) {
    total += static_cast<double>(weight);
  }
  const double at = uniform_at(options_.seed, answer_size_) * total;
  double sum = 0;
  for (std::size_t index = 0; index < candidates_.size(); ++index) {
    sum += static_cast<double>(weights_[index]);
    if (at < sum) {
      return candidates_[index].id;
    }
  }
  return candidates_.back().id;
}

Result<std::int32_t> Sampler::sample(std::span<const float> logits) {
  if (is_plain_ && options_.temperature <= 0) {
    const std::int32_t id = likeliest(logits);
    return logits[static_cast<std::size_t>(id)] > -std::numeric_limits<float>::infinity()
               ? Result<std::int32_t>(id)
               : fail(Code::kInternal, "no logit is a number");
  }
  collect(logits);
  if (candidates_.empty()) {
    return fail(Code::kInternal, "no logit is a number");
  }
  if (options_.temperature <= 0) {
    return std::ranges::max_element(candidates_, {}, &Candidate::logit)->id;
  }
  keep_top_k();
  keep_top_p();
  keep_min_p();
  weigh();
  return draw();
}

}  // namespace shoal::runtime
