// Every decoder of the reference models against what PyTorch answered: logits of each prompt, whole, in chunks and in a
// batch, and 24 greedy tokens.
#include <gtest/gtest.h>

#include "engine/runtime/greedy.hpp"
#include "tests/engine/support/fixture.hpp"

namespace shoal::test {
namespace {

using graph::Symbol;
using Ints = std::vector<std::int32_t>;

graph::Extents limits() {
  graph::Extents out;
  out[Symbol::kRows] = 4;
  out[Symbol::kTokens] = 128;
  out[Symbol::kOutputs] = 128;
  out[Symbol::kSlots] = 4;
  out[Symbol::kContext] = 96;
  return out;
}

// Logits after each token of each sequence, by steps of at most `chunk` tokens a row.
std::vector<std::vector<float>> logits_of(runtime::Executor& executor, const std::vector<Ints>& sequences,
                                          std::size_t chunk) {
  std::vector<std::vector<float>> out(sequences.size());
  std::vector<std::size_t> past(sequences.size());
  while (true) {
    std::vector<runtime::Row> rows;
    std::vector<std::size_t> which;
    for (std::size_t index = 0; index < sequences.size(); ++index) {
      const auto rest = std::span(sequences[index]).subspan(past[index]);
      if (!rest.empty()) {
        rows.push_back({.tokens = rest.first(std::min(chunk, rest.size())),
                        .slot = static_cast<std::uint32_t>(index),
                        .past = static_cast<std::uint32_t>(past[index]),
                        .wants_every_output = true});
        which.push_back(index);
      }
    }
    if (rows.empty()) {
      return out;
    }
    const auto done = executor.run("decode", *runtime::make_step(rows));
    EXPECT_TRUE(done) << done.error().message;
    const auto logits = executor.output("logits");
    if (!done || !logits) {
      return out;
    }
    std::size_t at = 0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      for (std::size_t token = 0; token < rows[row].tokens.size(); ++token, ++at) {
        out[which[row]].insert(out[which[row]].end(), logits->row(at), logits->row(at) + logits->columns);
      }
      past[which[row]] += rows[row].tokens.size();
    }
  }
}

class DecoderFixture : public testing::TestWithParam<const char*> {
 protected:
  // Every case as sequences without padding.
  static std::vector<Ints> sequences_of(const ReferenceCase& one) {
    std::vector<Ints> out;
    for (std::size_t row = 0; row < one.rows(); ++row) {
      out.push_back(one.tokens(row));
    }
    return out;
  }

  Serial serial_;
};

TEST_P(DecoderFixture, LogitsAreThoseOfPyTorch) {
  SHOAL_FIXTURE_OR_SKIP(fixture, GetParam());
  const LoadedModel loaded = load_model(fixture->path, serial_);
  auto executor = runtime::Executor::make(loaded.model.plan, loaded.weights, limits(), serial_);
  ASSERT_TRUE(executor) << executor.error().message;
  for (const ReferenceCase& one : fixture->cases) {
    const auto sequences = sequences_of(one);
    const auto actual = logits_of(**executor, sequences, 1000);
    const ReferenceTensor& expected = one.at("output.logits");
    const auto width = static_cast<std::size_t>(expected.shape.back());
    for (std::size_t row = 0; row < one.rows(); ++row) {
      const auto kept = one.kept(row);
      ASSERT_EQ(actual[row].size(), kept.size() * width);
      for (std::size_t token = 0; token < kept.size(); ++token) {
        expect_close(actual[row].data() + token * width,
                     expected.floats.data() + (row * one.columns() + kept[token]) * width, width,
                     fixture->tolerance("logits"),
                     one.name + " row " + std::to_string(row) + " token " + std::to_string(token));
      }
    }
    // However the tokens come, the bits are the same.
    EXPECT_EQ(logits_of(**executor, sequences, 1), actual) << one.name << " token by token";
    EXPECT_EQ(logits_of(**executor, sequences, 7), actual) << one.name << " in chunks";
    for (std::size_t row = 0; row < one.rows(); ++row) {
      EXPECT_EQ(logits_of(**executor, {sequences[row]}, 1000)[0], actual[row]) << one.name << " alone";
    }
  }
}

TEST_P(DecoderFixture, GreedyTokensAreThoseOfPyTorch) {
  SHOAL_FIXTURE_OR_SKIP(fixture, GetParam());
  const LoadedModel loaded = load_model(fixture->path, serial_);
  for (const runtime::KvBits kv : {runtime::KvBits{}, runtime::KvBits{16, 16}}) {
    auto executor = runtime::Executor::make(loaded.model.plan, loaded.weights, limits(), serial_, kv);
    ASSERT_TRUE(executor) << executor.error().message;
    for (const ReferenceCase& one : fixture->cases) {
      const auto sequences = sequences_of(one);
      const auto expected = one.facts.at("generate").at("ids").get<std::vector<Ints>>();
      ASSERT_EQ(expected.at(0).size(), 24U);
      for (const std::uint32_t chunk : {0U, 5U}) {
        const auto made = runtime::greedy(**executor, sequences, {.max_new_tokens = 24, .chunk = chunk});
        ASSERT_TRUE(made) << made.error().message;
        EXPECT_EQ(*made, expected) << one.name << " chunk " << chunk << ", keys of " << kv.keys << " bits";
      }
    }
  }
}

// Keys and values of few bits: the same bits however the tokens come; how far the logits are off is bounded by what was
// measured for each width, with room, since nothing but a wrong kernel is far beyond.
TEST_P(DecoderFixture, FewBitsOfKeysAndValuesDriftAsFarAsTheyMay) {
  SHOAL_FIXTURE_OR_SKIP(fixture, GetParam());
  const LoadedModel loaded = load_model(fixture->path, serial_);
  auto exact = runtime::Executor::make(loaded.model.plan, loaded.weights, limits(), serial_);
  ASSERT_TRUE(exact);
  std::uint64_t bytes = (*exact)->memory().state;
  for (const auto& [kv, most] : {std::pair(runtime::KvBits{16, 16}, 2e-3),
                                 {runtime::KvBits{8, 8}, 0.03},
                                 {runtime::KvBits{8, 4}, 0.25},
                                 {runtime::KvBits{4, 4}, 0.4},
                                 {runtime::KvBits{2, 2}, 0.9}}) {
    auto executor = runtime::Executor::make(loaded.model.plan, loaded.weights, limits(), serial_, kv);
    ASSERT_TRUE(executor) << executor.error().message;
    EXPECT_LT((*executor)->memory().state, bytes);
    bytes = (*executor)->memory().state;
    EXPECT_EQ(bytes, runtime::memory_of(loaded.model.plan, limits(), 1, kv)->state);
    double squares = 0;
    double errors = 0;
    for (const ReferenceCase& one : fixture->cases) {
      const auto sequences = sequences_of(one);
      const auto expected = logits_of(**exact, sequences, 1000);
      const auto actual = logits_of(**executor, sequences, 1000);
      for (std::size_t row = 0; row < expected.size(); ++row) {
        for (std::size_t index = 0; index < expected[row].size(); ++index) {
          const double error = double{actual[row][index]} - double{expected[row][index]};
          squares += double{expected[row][index]} * double{expected[row][index]};
          errors += error * error;
        }
        EXPECT_EQ(logits_of(**executor, {sequences[row]}, 1)[0], actual[row]) << "alone, token by token";
      }
    }
    const double drift = std::sqrt(errors / squares);
    EXPECT_LT(drift, most) << kv.keys << "/" << kv.values;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderFixture,
                         testing::Values("llama", "llama3", "qwen2", "qwen3", "gemma3_text", "opt", "gpt2", "bloom",
                                         "falcon"),
                         [](const auto& name) { return std::string(name.param); });

}  // namespace
}  // namespace shoal::test
