#include "engine/runtime/generation.hpp"

#include <gmock/gmock.h>

#include "engine/runtime/greedy.hpp"
#include "tests/engine/support/small_models.hpp"

namespace shoal::runtime {
namespace {

using graph::Symbol;
using testing::ElementsAre;
using Ints = std::vector<std::int32_t>;

constexpr GenerationBounds kBounds{.vocabulary = 50, .context = 16, .memory = 4};

std::vector<float> logits_of(std::int32_t token) {
  std::vector<float> out(kBounds.vocabulary);
  out[static_cast<std::size_t>(token)] = 1;
  return out;
}

Ints tokens_of(const Generation& generation) {
  const auto& tokens = generation.next().row.tokens;
  return {tokens.begin(), tokens.end()};
}

TEST(Generation, ReadsInChunksThenWritesOneByOne) {
  auto generation = *Generation::make({1, 2, 3, 4, 5}, {.max_tokens = 3, .chunk = 2, .slot = 6}, kBounds);
  EXPECT_THAT(tokens_of(generation), ElementsAre(1, 2));
  EXPECT_EQ(generation.next().signature, "decode");
  EXPECT_EQ(generation.next().row.slot, 6U);
  EXPECT_EQ(generation.next().row.past, 0U);
  EXPECT_EQ(*generation.advance(logits_of(40)), std::nullopt) << "the prompt is not read";
  EXPECT_THAT(tokens_of(generation), ElementsAre(3, 4));
  EXPECT_EQ(generation.next().row.past, 2U);
  EXPECT_EQ(*generation.advance({}), std::nullopt);
  EXPECT_TRUE(generation.is_reading());
  EXPECT_THAT(tokens_of(generation), ElementsAre(5));
  EXPECT_EQ(*generation.advance(logits_of(10)), 10);
  EXPECT_FALSE(generation.is_reading());
  EXPECT_THAT(tokens_of(generation), ElementsAre(10));
  EXPECT_EQ(generation.next().row.past, 5U);
  EXPECT_EQ(*generation.advance(logits_of(11)), 11);
  EXPECT_EQ(generation.finished(), std::nullopt);
  EXPECT_EQ(*generation.advance(logits_of(12)), 12);
  EXPECT_EQ(generation.finished(), FinishReason::kLength);
  EXPECT_THAT(generation.made(), ElementsAre(10, 11, 12));
}

TEST(Generation, EndsBeforeAStopToken) {
  auto generation = *Generation::make({1}, {.max_tokens = 9, .stop_ids = {7, 8}}, kBounds);
  EXPECT_EQ(*generation.advance(logits_of(3)), 3);
  EXPECT_EQ(*generation.advance(logits_of(8)), std::nullopt);
  EXPECT_EQ(generation.finished(), FinishReason::kStop);
  EXPECT_THAT(generation.made(), ElementsAre(3));
}

TEST(Generation, EndsWithAFullContext) {
  auto generation = *Generation::make(Ints(15, 1), {.max_tokens = 9}, kBounds);
  EXPECT_EQ(*generation.advance(logits_of(3)), 3);
  EXPECT_EQ(*generation.advance(logits_of(4)), 4);
  EXPECT_EQ(generation.finished(), FinishReason::kLength);
  auto full = *Generation::make(Ints(16, 1), {.max_tokens = 9}, kBounds);
  EXPECT_EQ(*full.advance(logits_of(3)), 3);
  EXPECT_EQ(full.finished(), FinishReason::kLength);
  EXPECT_EQ(Generation::make(Ints(17, 1), {.max_tokens = 9}, kBounds).error().code, Code::kContextLengthExceeded);
}

TEST(Generation, EndsWhenItIsTold) {
  auto generation = *Generation::make({1, 2}, {.max_tokens = 9, .chunk = 1}, kBounds);
  EXPECT_EQ(*generation.advance({}), std::nullopt);
  generation.cancel();
  EXPECT_EQ(generation.finished(), FinishReason::kCancelled);
  EXPECT_FALSE(generation.is_reading());
  auto nothing = *Generation::make({1, 2}, {.max_tokens = 0}, kBounds);
  EXPECT_EQ(nothing.finished(), FinishReason::kLength);
  nothing.cancel();
  EXPECT_EQ(nothing.finished(), FinishReason::kLength) << "it was finished";
}

TEST(Generation, AnEncoderReadsThePromptAtOnce) {
  auto generation = *Generation::make({1, 2, 3}, {.max_tokens = 2, .chunk = 1, .decoder_start = 9}, kBounds);
  EXPECT_EQ(generation.next().signature, "encode");
  EXPECT_THAT(tokens_of(generation), ElementsAre(1, 2, 3));
  EXPECT_EQ(*generation.advance({}), std::nullopt);
  EXPECT_EQ(generation.next().signature, "decode");
  EXPECT_THAT(tokens_of(generation), ElementsAre(9));
  EXPECT_EQ(generation.next().row.past, 0U);
  EXPECT_EQ(generation.next().row.memory_length, 3U);
  EXPECT_EQ(*generation.advance(logits_of(5)), 5);
  EXPECT_THAT(tokens_of(generation), ElementsAre(5));
  EXPECT_EQ(generation.next().row.past, 1U);
  const auto long_prompt = Generation::make(Ints(5, 1), {.max_tokens = 2, .decoder_start = 9}, kBounds);
  EXPECT_EQ(long_prompt.error().code, Code::kContextLengthExceeded);
}

TEST(Generation, RefusesWhatItCannotRead) {
  EXPECT_EQ(Generation::make({}, {.max_tokens = 1}, kBounds).error().param, "tokens");
  EXPECT_EQ(Generation::make({1, 50}, {.max_tokens = 1}, kBounds).error().param, "tokens");
  EXPECT_EQ(Generation::make({-1}, {.max_tokens = 1}, kBounds).error().param, "tokens");
  EXPECT_EQ(Generation::make({1}, {.max_tokens = 1, .chunk = 0}, kBounds).error().param, "chunk");
  EXPECT_EQ(Generation::make({1}, {.max_tokens = 1, .decoder_start = 50}, kBounds).error().param, "decoder_start");
  EXPECT_EQ(Generation::make({1}, {.max_tokens = 1, .sampling = {.top_p = 2}}, kBounds).error().param, "top_p");
}

// With a real executor: the tokens of the oracle at every chunk, and the same drawn tokens whatever the chunk.
TEST(Generation, MakesTheTokensOfTheOracle) {
  Serial serial;
  const auto small = test::small_llama(serial);
  graph::Extents limits;
  limits[Symbol::kRows] = limits[Symbol::kSlots] = limits[Symbol::kOutputs] = 1;
  limits[Symbol::kTokens] = limits[Symbol::kContext] = 16;
  const auto executor = *Executor::make(small.model.plan, small.weights, limits, serial);
  const Ints prompt = {1, 2, 3, 4, 5};
  const auto run = [&](std::uint32_t chunk, SamplingOptions sampling) {
    auto generation =
        *Generation::make(prompt, {.max_tokens = 8, .chunk = chunk, .sampling = std::move(sampling)}, kBounds);
    while (!generation.finished()) {
      const auto made = run_step(*executor, generation);
      EXPECT_TRUE(made) << made.error().message;
    }
    return generation.made();
  };
  const Ints expected = greedy(*executor, {&prompt, 1}, {.max_new_tokens = 8})->at(0);
  const Ints drawn = run(5, {.temperature = 2, .top_k = 20, .seed = 3});
  EXPECT_NE(drawn, expected);
  for (const std::uint32_t chunk : {1U, 2U, 5U, 100U}) {
    EXPECT_EQ(run(chunk, {}), expected);
    EXPECT_EQ(run(chunk, {.temperature = 2, .top_k = 20, .seed = 3}), drawn);
  }
}

}  // namespace
}  // namespace shoal::runtime
