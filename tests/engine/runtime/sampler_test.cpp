#include "engine/runtime/sampler.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace shoal::runtime {
namespace {

using Logits = std::vector<float>;

// What the header says, as plainly as it can be written: the probability of each token.
std::vector<double> reference(Logits logits, const SamplingOptions& options, const std::vector<std::int32_t>& prompt,
                              const std::vector<std::int32_t>& answer) {
  for (const auto& [id, bias] : options.logit_bias) {
    logits[static_cast<std::size_t>(id)] += bias;
  }
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const auto times = std::ranges::count(answer, static_cast<std::int32_t>(id));
    if (times != 0 || std::ranges::count(prompt, static_cast<std::int32_t>(id)) != 0) {
      logits[id] = logits[id] > 0 ? logits[id] / options.repetition_penalty : logits[id] * options.repetition_penalty;
    }
    logits[id] -= times == 0 ? 0 : options.presence_penalty + options.frequency_penalty * static_cast<float>(times);
  }
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](std::size_t left, std::size_t right) {
    return logits[left] != logits[right] ? logits[left] > logits[right] : left < right;
  });
  if (options.top_k != 0) {
    order.resize(std::min<std::size_t>(order.size(), options.top_k));
  }
  std::vector<double> share(logits.size());
  double total = 0;
  for (const std::size_t id : order) {
    share[id] = std::exp(static_cast<double>(logits[id] - logits[order[0]]) / static_cast<double>(options.temperature));
    total += share[id];
  }
  double sum = 0;
  std::size_t kept = 0;
  while (kept < order.size() && sum < total * static_cast<double>(options.top_p)) {
    sum += share[order[kept++]];
  }
  while (kept > 1 && share[order[kept - 1]] < static_cast<double>(options.min_p)) {
    sum -= share[order[--kept]];
  }
  std::vector<double> out(logits.size());
  for (std::size_t index = 0; index < kept; ++index) {
    out[order[index]] = share[order[index]] / sum;
  }
  return out;
}

Logits some_logits(std::size_t count) {
  Logits out;
  std::uint32_t state = 99;
  for (std::size_t id = 0; id < count; ++id) {
    state = state * 1664525U + 1013904223U;
    out.push_back(static_cast<float>(state >> 8) * 0x1p-22F - 2);
  }
  return out;
}

// Draws many tokens with many seeds; chi-square against the reference. Five sigma of it: once in millions of runs, and
// the seeds are fixed.
void expect_distribution(SamplingOptions options, const Logits& logits, const std::vector<std::int32_t>& prompt = {},
                         const std::vector<std::int32_t>& answer = {}) {
  constexpr int kDraws = 20000;
  const auto expected = reference(logits, options, prompt, answer);
  std::vector<int> counts(logits.size());
  for (int draw = 0; draw < kDraws; ++draw) {
    options.seed = static_cast<std::uint64_t>(draw);
    auto sampler = Sampler::make(options, static_cast<std::uint32_t>(logits.size()));
    ASSERT_TRUE(sampler) << sampler.error().message;
    for (const std::int32_t token : prompt) {
      sampler->see_prompt(token);
    }
    for (const std::int32_t token : answer) {
      sampler->see_answer(token);
    }
    ++counts[static_cast<std::size_t>(*sampler->sample(logits))];
  }
  double chi_square = 0;
  int freedom = -1;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (expected[id] == 0) {
      EXPECT_EQ(counts[id], 0) << "token " << id << " is left out";
      continue;
    }
    const double mean = expected[id] * kDraws;
    chi_square += (counts[id] - mean) * (counts[id] - mean) / mean;
    ++freedom;
  }
  EXPECT_LT(chi_square, freedom + 5 * std::sqrt(2.0 * std::max(freedom, 1))) << freedom << " degrees of freedom";
}

TEST(Sampler, DrawsByTheReferencesProbabilities) {
  const Logits logits = some_logits(20);
  expect_distribution({.temperature = 1}, logits);
  expect_distribution({.temperature = 0.5F}, logits);
  expect_distribution({.temperature = 2}, logits);
  expect_distribution({.temperature = 1, .top_k = 5}, logits);
  expect_distribution({.temperature = 1, .top_p = 0.7F}, logits);
  expect_distribution({.temperature = 1, .min_p = 0.2F}, logits);
  expect_distribution({.temperature = 1.3F, .top_k = 9, .top_p = 0.9F, .min_p = 0.05F}, logits);
  expect_distribution({.temperature = 1,
                       .repetition_penalty = 1.5F,
                       .presence_penalty = 0.3F,
                       .frequency_penalty = 0.4F,
                       .logit_bias = {{3, 1.5F}, {4, -100}}},
                      logits, {1, 2, 3, 9}, {5, 5, 6, 9});
}

TEST(Sampler, ManyTokensAreCutWhereTheReferenceCutsThem) {
  const Logits logits = some_logits(5000);
  for (const float top_p : {0.001F, 0.3F, 0.9F, 0.999F}) {
    SamplingOptions options{.temperature = 1, .top_p = top_p};
    const auto expected = reference(logits, options, {}, {});
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      options.seed = seed;
      const std::int32_t token = *Sampler::make(options, 5000)->sample(logits);
      EXPECT_GT(expected[static_cast<std::size_t>(token)], 0) << top_p;
    }
  }
}

TEST(Sampler, TemperatureZeroTakesTheLikeliestOfTheLowestId) {
  auto sampler = *Sampler::make({}, 4);
  EXPECT_EQ(sampler.sample(Logits{1, 3, 3, 2}), 1);
  auto biased = *Sampler::make({.logit_bias = {{3, 1.5F}}}, 4);
  EXPECT_EQ(biased.sample(Logits{1, 3, 3, 2}), 3);
  EXPECT_EQ(biased.sample(Logits{3.5F, 3, 3, 2}), 0) << "equal again";
  auto penalized = *Sampler::make({.repetition_penalty = 2}, 4);
  penalized.see_prompt(1);
  EXPECT_EQ(penalized.sample(Logits{1, 3, 3, 2}), 2);
  penalized.see_answer(2);
  EXPECT_EQ(penalized.sample(Logits{1, 3, 3, 2}), 3);
  EXPECT_EQ(penalized.sample(Logits{-5, -3, -3, -5.5F}), 0) << "-3 became -6";
}

TEST(Sampler, ATokenDependsOnTheSeedAndTheLengthOfTheAnswerAlone) {
  const Logits logits = some_logits(100);
  const auto draw = [&](std::uint64_t seed, int answered) {
    auto sampler = *Sampler::make({.temperature = 1, .seed = seed}, 100);
    for (int index = 0; index < answered; ++index) {
      sampler.see_answer(index);
    }
    return *sampler.sample(logits);
  };
  std::map<std::int32_t, int> by_seed;
  std::map<std::int32_t, int> by_length;
  for (int index = 0; index < 40; ++index) {
    EXPECT_EQ(draw(7, index), draw(7, index));
    ++by_seed[draw(static_cast<std::uint64_t>(index), 0)];
    ++by_length[draw(7, index)];
  }
  EXPECT_GT(by_seed.size(), 10U);
  EXPECT_GT(by_length.size(), 10U);
}

TEST(Sampler, NumbersOfACounterAreUniform) {
  std::vector<int> buckets(16);
  double sum = 0;
  for (std::uint64_t counter = 0; counter < 16000; ++counter) {
    const double number = uniform_at(counter % 4, counter / 4);
    ASSERT_GE(number, 0);
    ASSERT_LT(number, 1);
    sum += number;
    ++buckets[static_cast<std::size_t>(number * 16)];
  }
  EXPECT_NEAR(sum / 16000, 0.5, 0.01);
  for (const int count : buckets) {
    EXPECT_NEAR(count, 1000, 160);
  }
}

TEST(Sampler, RefusesWhatIsOutOfRangeAndLogitsThatAreNone) {
  const auto param_of = [](SamplingOptions options) {
    const auto sampler = Sampler::make(std::move(options), 10);
    return sampler ? std::string() : sampler.error().param;
  };
  EXPECT_EQ(param_of({.temperature = -1}), "temperature");
  EXPECT_EQ(param_of({.temperature = NAN}), "temperature");
  EXPECT_EQ(param_of({.top_p = 0}), "top_p");
  EXPECT_EQ(param_of({.top_p = 1.1F}), "top_p");
  EXPECT_EQ(param_of({.min_p = -0.1F}), "min_p");
  EXPECT_EQ(param_of({.repetition_penalty = 0}), "repetition_penalty");
  EXPECT_EQ(param_of({.presence_penalty = INFINITY}), "presence_penalty");
  EXPECT_EQ(param_of({.frequency_penalty = NAN}), "frequency_penalty");
  EXPECT_EQ(param_of({.logit_bias = {{10, 1}}}), "logit_bias");
  EXPECT_EQ(param_of({.logit_bias = {{-1, 1}}}), "logit_bias");
  EXPECT_EQ(param_of({.temperature = 1, .top_k = 1000}), "");
  for (const float temperature : {0.0F, 1.0F}) {
    auto sampler = *Sampler::make({.temperature = temperature}, 2);
    EXPECT_EQ(sampler.sample(Logits{NAN, NAN}).error().code, Code::kInternal);
    EXPECT_EQ(sampler.sample(Logits{-INFINITY, -INFINITY}).error().code, Code::kInternal);
    EXPECT_EQ(sampler.sample(Logits{-INFINITY, -3}), 1);
  }
}

}  // namespace
}  // namespace shoal::runtime
