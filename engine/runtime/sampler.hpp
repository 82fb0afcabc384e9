// Chooses the next token of one sequence. Pure: the same logits, options and tokens so far give the same token on every
// machine, tier and thread, whatever else is in the batch. After make() nothing is allocated.
//
//   logit  += bias of the token
//   logit  := divided (if positive) or multiplied by repetition_penalty, for tokens of the prompt and of the answer
//   logit  -= presence_penalty + frequency_penalty * times, for tokens that the answer has `times` times
//   then, unless temperature is 0: logit / temperature, the top_k likeliest, of these the fewest that have top_p of the
//   probability, of these what has min_p of the likeliest one's; one of the rest by its probability
//
// Of equal logits the lowest id comes first. Temperature 0 takes the first. The random number of a token depends on the
// seed and on how many tokens the answer has, and on nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::runtime {

inline constexpr std::size_t kMaxLogitBiases = 1024;

struct SamplingOptions {
  float temperature = 0;         // from 0
  std::uint32_t top_k = 0;       // 0 is all
  float top_p = 1;               // above 0, up to 1
  float min_p = 0;               // from 0 up to 1
  float repetition_penalty = 1;  // above 0; 1 is none
  float presence_penalty = 0;
  float frequency_penalty = 0;
  std::uint64_t seed = 0;
  std::vector<std::pair<std::int32_t, float>> logit_bias{};  // at most kMaxLogitBiases, each id once
};

class Sampler {
 public:
  // kInvalidArgument names the option that is out of its range.
  static Result<Sampler> make(SamplingOptions options, std::uint32_t vocabulary);

  // Tells of a token of the prompt, or of the answer. Requires: below the vocabulary.
  void see_prompt(std::int32_t token);
  void see_answer(std::int32_t token);

  // The next token; kInternal when no logit is a number. Requires: as many logits as the vocabulary.
  Result<std::int32_t> sample(std::span<const float> logits);

 private:
  struct Candidate {
    float logit;
    std::int32_t id;
  };

  Sampler(SamplingOptions options, std::uint32_t vocabulary);
  [[nodiscard]] float penalized(std::size_t id, float logit) const;
  void collect(std::span<const float> logits);
  void weigh();
  void sort_first(std::size_t count);
  void keep_top_k();
  void keep_top_p();
  void keep_min_p();
  [[nodiscard]] std::int32_t draw() const;

  SamplingOptions options_;
  bool has_penalties_ = false;
  bool is_plain_ = false;  // logits are taken as they are
  std::uint64_t answer_size_ = 0;
  std::vector<std::uint8_t> is_seen_;  // by token: in the prompt or the answer
  std::vector<std::uint32_t> times_;   // by token: in the answer
  std::vector<float> bias_;            // by token; empty without biases
  std::vector<Candidate> candidates_;
  std::vector<float> weights_;  // e^(logit - highest) of the candidates
  std::size_t sorted_ = 0;      // so many candidates are the likeliest ones, in order
};

// A number from 0 up to 1, of 53 bits, by a counter: the same for the same two numbers.
double uniform_at(std::uint64_t seed, std::uint64_t counter);

}  // namespace shoal::runtime
