// Every decoder of the reference models: answers of many at once, which come at any step, are cancelled and begin
// alike, are those that PyTorch gives each alone.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/engine/support/fixture.hpp"
#include "tests/engine/support/sequence_run.hpp"

namespace shoal::test {
namespace {

using graph::Symbol;
using Ints = std::vector<std::int32_t>;

class SequencesFixture : public testing::TestWithParam<const char*> {};

TEST_P(SequencesFixture, TogetherIsAlone) {
  SHOAL_FIXTURE_OR_SKIP(fixture, GetParam());
  Serial serial;
  const LoadedModel loaded = load_model(fixture->path, serial);
  std::vector<std::pair<Ints, Ints>> expected;  // prompt and answer
  for (const ReferenceCase& one : fixture->cases) {
    const auto ids = one.facts.at("generate").at("ids").get<std::vector<Ints>>();
    for (std::size_t row = 0; row < ids.size(); ++row) {
      expected.emplace_back(one.tokens(row), ids[row]);
    }
  }
  ASSERT_GE(expected.size(), 3U);
  graph::Extents limits;
  limits[Symbol::kRows] = limits[Symbol::kOutputs] = 5;
  limits[Symbol::kSlots] = 4;
  limits[Symbol::kTokens] = 21;
  limits[Symbol::kContext] = 96;
  auto executor = runtime::Executor::make(loaded.model.plan, loaded.weights, limits, serial);
  ASSERT_TRUE(executor) << executor.error().message;
  runtime::SequenceEngine engine(
      {.limits = limits, .vocabulary = loaded.model.facts.vocabulary, .has_encoder = false, .beside = 7});
  std::mt19937 random(3);
  std::map<runtime::SequenceId, std::size_t> asked;
  std::map<runtime::SequenceId, Ints> made;
  std::size_t whole = 0;
  std::size_t rows = 0;
  std::size_t steps = 0;
  constexpr std::size_t kAnswers = 30;
  for (std::size_t come = 0; come < kAnswers || engine.live() > 0;) {
    if (come < kAnswers && random() % 2 == 0) {
      const std::size_t which = random() % expected.size();
      if (const auto id = engine.add(expected[which].first, {.generation = {.max_tokens = 24}})) {
        asked[*id] = which;
        ++come;
      }
    }
    if (random() % 20 == 0) {
      const runtime::SequenceId id = 1 + static_cast<runtime::SequenceId>(random() % (asked.size() + 1));
      engine.cancel(id);
    }
    steps += run_step(**executor, engine) ? 1 : 0;
    for (const runtime::SequenceEvent& event : engine.take_events()) {
      ASSERT_FALSE(event.error);
      ++rows;
      if (event.token) {
        made[event.id].push_back(*event.token);
      }
      if (event.finished) {
        ++whole;
        EXPECT_EQ(made[event.id], expected[asked[event.id]].second);
      }
    }
  }
  EXPECT_GT(whole, kAnswers / 2);
  EXPECT_GT(static_cast<double>(rows) / static_cast<double>(steps), 2) << "rows of a step";
}

INSTANTIATE_TEST_SUITE_P(Models, SequencesFixture,
                         testing::Values("llama", "llama3", "qwen2", "qwen3", "gemma3_text", "opt", "gpt2", "bloom",
                                         "falcon"),
                         [](const auto& name) { return std::string(name.param); });

}  // namespace
}  // namespace shoal::test
