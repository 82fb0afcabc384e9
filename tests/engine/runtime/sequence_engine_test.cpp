#include "engine/runtime/sequence_engine.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "tests/engine/support/sequence_run.hpp"
#include "tests/engine/support/small_models.hpp"

namespace shoal::runtime {
namespace {

using graph::Symbol;
using testing::ElementsAre;
using testing::IsEmpty;
using Ints = std::vector<std::int32_t>;

constexpr std::uint32_t kWords = 50;

graph::Extents extents(std::uint32_t rows, std::uint32_t tokens, std::uint32_t context) {
  graph::Extents out;
  out[Symbol::kRows] = out[Symbol::kOutputs] = out[Symbol::kSlots] = rows;
  out[Symbol::kTokens] = tokens;
  out[Symbol::kContext] = context;
  return out;
}

SequenceBounds bounds(std::uint32_t rows = 4, std::uint32_t tokens = 16, std::uint32_t beside = 6) {
  return {.limits = extents(rows, tokens, 64), .vocabulary = kWords, .beside = beside};
}

SequenceOptions up_to(std::uint32_t tokens) { return {.generation = {.max_tokens = tokens}}; }

// Advances by logits that make each row say `token`.
void say(SequenceEngine& engine, std::size_t rows, std::int32_t token) {
  std::vector<float> logits(rows * kWords);
  for (std::size_t row = 0; row < rows; ++row) {
    logits[row * kWords + static_cast<std::size_t>(token)] = 1;
  }
  engine.advance({logits.data(), rows, kWords, kWords});
}

std::vector<std::size_t> sizes_of(const SequenceEngine::Work& work) {
  std::vector<std::size_t> out;
  for (const Row& row : work.rows) {
    out.push_back(row.tokens.size());
  }
  return out;
}

TEST(SequenceEngine, WritersGoFirstAndPromptsShareTheRest) {
  SequenceEngine engine(bounds());
  ASSERT_TRUE(engine.add({1, 2}, up_to(9)));
  ASSERT_THAT(sizes_of(*engine.begin()), ElementsAre(2));
  say(engine, 1, 7);
  ASSERT_TRUE(engine.add(Ints(20, 3), up_to(9)));
  ASSERT_TRUE(engine.add({4}, up_to(9)));
  const SequenceEngine::Work& work = *engine.begin();
  EXPECT_THAT(sizes_of(work), ElementsAre(1, 1, 5)) << "what a short prompt leaves is for the long one";
  EXPECT_EQ(work.rows[2].tokens[0], 3);
  say(engine, 3, 7);
  EXPECT_THAT(sizes_of(*engine.begin()), ElementsAre(1, 1, 6)) << "beside those that write";
}

TEST(SequenceEngine, BesideManyWritersPromptsHaveAsManyTokens) {
  SequenceEngine engine(bounds(6, 20, 2));
  for (std::int32_t token = 1; token <= 5; ++token) {
    ASSERT_TRUE(engine.add({token}, up_to(9)));
  }
  ASSERT_THAT(sizes_of(*engine.begin()), ElementsAre(1, 1, 1, 1, 1));
  say(engine, 5, 7);
  ASSERT_TRUE(engine.add(Ints(30, 3), up_to(9)));
  EXPECT_THAT(sizes_of(*engine.begin()), ElementsAre(1, 1, 1, 1, 1, 5));
}

TEST(SequenceEngine, AloneAPromptHasTheWholeStep) {
  SequenceEngine engine(bounds());
  ASSERT_TRUE(engine.add(Ints(40, 3), up_to(1)));
  for (const std::size_t size : {16U, 16U, 8U}) {
    (void)engine.take_events();
    ASSERT_THAT(sizes_of(*engine.begin()), ElementsAre(size));
    say(engine, 1, 7);
  }
  const auto events = engine.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].token, 7);
  EXPECT_TRUE(events[0].was_reading);
  EXPECT_EQ(events[0].finished, FinishReason::kLength);
  EXPECT_EQ(engine.begin(), nullptr);
  EXPECT_EQ(engine.live(), 0U);
}

TEST(SequenceEngine, RefusesWhatItCannotTake) {
  SequenceEngine engine(bounds(2));
  EXPECT_EQ(engine.add({}, up_to(1)).error().param, "tokens");
  EXPECT_EQ(engine.add({1}, {.generation = {.max_tokens = 1}, .top_logprobs = 21}).error().param, "top_logprobs");
  ASSERT_TRUE(engine.add({1}, up_to(1)));
  ASSERT_TRUE(engine.add({1}, up_to(1)));
  EXPECT_EQ(engine.add({1}, up_to(1)).error().code, Code::kResourceLimit);
  EXPECT_EQ(engine.add(Ints(65, 1), up_to(1)).error().code, Code::kResourceLimit);
  engine.cancel(1);
  EXPECT_EQ(engine.add(Ints(65, 1), up_to(1)).error().code, Code::kContextLengthExceeded);
  const auto nothing = engine.add({1}, up_to(0));
  const auto events = engine.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].id, *nothing);
  EXPECT_EQ(events[0].finished, FinishReason::kLength);
}

TEST(SequenceEngine, ACancelInAStepFreesTheSlotWithItsEnd) {
  SequenceEngine engine(bounds(1));
  const SequenceId first = *engine.add({1, 2}, up_to(9));
  ASSERT_NE(engine.begin(), nullptr);
  EXPECT_TRUE(engine.is_wanted());
  engine.cancel(first);
  EXPECT_FALSE(engine.is_wanted());
  EXPECT_EQ(engine.live(), 0U);
  ASSERT_TRUE(engine.add({3}, up_to(9))) << "it may wait for the slot already";
  engine.abandon();
  EXPECT_THAT(engine.take_events(), IsEmpty());
  const SequenceEngine::Work* work = engine.begin();
  ASSERT_THAT(sizes_of(*work), ElementsAre(1));
  EXPECT_EQ(work->rows[0].tokens[0], 3);
}

TEST(SequenceEngine, AnAbandonedStepIsBegunAgain) {
  SequenceEngine engine(bounds(2));
  const SequenceId first = *engine.add({1, 2}, up_to(9));
  ASSERT_TRUE(engine.add({3, 4, 5}, up_to(9)));
  ASSERT_THAT(sizes_of(*engine.begin()), ElementsAre(2, 3));
  engine.cancel(first);
  engine.abandon();
  const SequenceEngine::Work* work = engine.begin();
  ASSERT_THAT(sizes_of(*work), ElementsAre(3));
  EXPECT_EQ(work->rows[0].past, 0U);
}

TEST(SequenceEngine, ABeginningIsReadOnce) {
  SequenceEngine engine(bounds(3, 64));
  Ints prompt(40, 3);
  ASSERT_TRUE(engine.add(prompt, up_to(9)));
  prompt[30] = 4;
  ASSERT_TRUE(engine.add(prompt, up_to(9)));
  EXPECT_THAT(sizes_of(*engine.begin()), ElementsAre(40)) << "the other one waits for what this one reads";
  say(engine, 1, 7);
  const SequenceEngine::Work& work = *engine.begin();
  EXPECT_THAT(sizes_of(work), ElementsAre(1, 6));
  ASSERT_EQ(work.copies.size(), 1U);
  EXPECT_EQ(work.copies[0].count, 30U);
  EXPECT_EQ(work.copies[0].from, work.rows[0].slot);
  EXPECT_EQ(work.copies[0].to, work.rows[1].slot);
  EXPECT_EQ(work.rows[1].past, 30U);
  ASSERT_TRUE(engine.add(prompt, {.generation = {.max_tokens = 9}, .prefix_key = "another"}));
  (void)engine.take_events();
  say(engine, 2, 7);
  EXPECT_EQ(engine.take_events().back().reused, 30U);
  (void)engine.begin();
  say(engine, 3, 7);
  EXPECT_EQ(engine.take_events().back().reused, 0U);
}

TEST(SequenceEngine, AMaskedAnswerWaitsAndOthersGoOn) {
  SequenceEngine engine(bounds(2));
  const SequenceId masked = *engine.add({1}, {.generation = {.max_tokens = 9}, .is_masked = true});
  const SequenceId other = *engine.add({2}, up_to(9));
  (void)engine.begin();
  say(engine, 2, 7);
  auto events = engine.take_events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].token, std::nullopt);
  EXPECT_EQ(events[1].token, 7);
  const SequenceEngine::Work* work = engine.begin();
  ASSERT_EQ(work->rows.size(), 1U);
  EXPECT_EQ(work->rows[0].tokens[0], 7);
  // 3 and 9, of which 3 is the first.
  const std::vector<std::uint8_t> mask = {8, 2};
  EXPECT_TRUE(engine.allow(masked, 0, mask));
  events = engine.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].token, 3);
  EXPECT_TRUE(engine.allow(masked, 1, mask));
  EXPECT_TRUE(engine.allow(masked, 2, mask)) << "ahead of its turn";
  EXPECT_TRUE(engine.allow(masked, 0, mask)) << "too late";
  EXPECT_EQ(engine.allow(masked, 3, mask).error().code, Code::kInvalidArgument);
  EXPECT_EQ(engine.allow(other, 1, mask).error().code, Code::kNotFound);
  say(engine, 1, 7);
  (void)engine.take_events();
  for (int step = 0; step < 2; ++step) {
    EXPECT_EQ(engine.begin()->rows.size(), 2U);
    say(engine, 2, 9);
    events = engine.take_events();
    EXPECT_EQ(events[0].token, 9);
  }
  (void)engine.begin();
  say(engine, 2, 9);
  EXPECT_EQ(engine.take_events()[0].token, std::nullopt);
  EXPECT_TRUE(engine.allow(masked, 3, {}));
  EXPECT_EQ(engine.take_events()[0].error->code, Code::kInternal) << "nothing may be drawn";
  EXPECT_EQ(engine.live(), 1U);
}

TEST(SequenceEngine, TellsLogprobs) {
  SequenceEngine engine(bounds(1));
  ASSERT_TRUE(engine.add({1}, {.generation = {.max_tokens = 9}, .has_logprobs = true, .top_logprobs = 2}));
  (void)engine.begin();
  say(engine, 1, 7);
  const auto events = engine.take_events();
  ASSERT_TRUE(events[0].logprobs);
  EXPECT_NEAR(events[0].logprobs->chosen, std::log(std::exp(1.0) / (std::exp(1.0) + 49)), 1e-5);
  EXPECT_EQ(events[0].logprobs->top[0].first, 7);
  EXPECT_EQ(events[0].logprobs->top[1].first, 0);
}

// With a real executor: whoever comes, goes or is cancelled when, everyone's answer is what it is alone and cold.
TEST(SequenceEngine, EveryoneAnswersAsAlone) {
  Serial serial;
  const auto small = test::small_llama(serial);
  const auto executor_of = [&](const graph::Extents& limits) {
    return *Executor::make(small.model.plan, small.weights, limits, serial);
  };
  const auto alone = executor_of(extents(1, 64, 64));
  std::mt19937 random(7);
  const auto below = [&](std::uint32_t most) { return static_cast<std::uint32_t>(random() % most); };
  for (std::uint32_t round = 0; round < 6; ++round) {
    SequenceBounds most = bounds(1 + below(6), 8 + below(24), 1 + below(8));
    const auto executor = executor_of(most.limits);
    SequenceEngine engine(most);
    std::map<SequenceId, std::pair<Ints, GenerationOptions>> asked;
    std::map<SequenceId, Ints> answers;
    std::map<SequenceId, bool> is_over;
    std::vector<Ints> prompts;
    std::uint64_t reused = 0;
    std::uint32_t rows = 0;
    std::uint32_t steps = 0;
    for (std::uint32_t come = 0; come < 40 || engine.live() > 0;) {
      if (come < 40 && below(2) == 0) {
        Ints prompt =
            prompts.empty() || below(3) == 0 ? Ints() : prompts[below(static_cast<std::uint32_t>(prompts.size()))];
        prompt.resize(std::min<std::size_t>(prompt.size(), 20));
        for (std::uint32_t more = 1 + below(20); more > 0; --more) {
          prompt.push_back(static_cast<std::int32_t>(below(kWords)));
        }
        GenerationOptions options{.max_tokens = 1 + below(20), .stop_ids = {49}};
        if (below(2) == 0) {
          options.sampling = {.temperature = 1.5F, .repetition_penalty = 1.2F, .seed = come};
        }
        if (const auto id = engine.add(prompt, {.generation = options})) {
          ++come;
          prompts.push_back(prompt);
          asked[*id] = {prompt, options};
        }
      }
      if (!asked.empty() && below(12) == 0) {
        const SequenceId id = 1 + below(static_cast<std::uint32_t>(asked.size()));
        engine.cancel(id);
        asked.at(id).second.max_tokens = 0;
      }
      if (test::run_step(*executor, engine)) {
        ++steps;
      }
      for (const SequenceEvent& event : engine.take_events()) {
        ++rows;
        reused += event.reused;
        ASSERT_FALSE(event.error);
        if (event.token) {
          answers[event.id].push_back(*event.token);
        }
        is_over[event.id] = event.finished.has_value();
      }
    }
    std::uint32_t whole = 0;
    for (const auto& [id, one] : asked) {
      if (one.second.max_tokens == 0) {
        continue;
      }
      ++whole;
      ASSERT_TRUE(is_over[id]);
      GenerationOptions options = one.second;
      options.chunk = 64;
      auto single = *Generation::make(one.first, options, {.vocabulary = kWords, .context = 64});
      while (!single.finished()) {
        ASSERT_TRUE(run_step(*alone, single));
      }
      EXPECT_EQ(answers[id], single.made()) << "round " << round << " sequence " << id;
    }
    EXPECT_GT(whole, 15U);
    EXPECT_GT(reused, 0U);
    EXPECT_GE(rows, steps);
  }
}

}  // namespace
}  // namespace shoal::runtime
