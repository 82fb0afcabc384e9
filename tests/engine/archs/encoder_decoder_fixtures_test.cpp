// T5 and BART against what PyTorch answered: the encoder's output, logits of a given answer, and 24 greedy tokens.
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
  out[Symbol::kContext] = 32;
  out[Symbol::kMemory] = 64;
  return out;
}

class EncoderDecoderFixture : public testing::TestWithParam<const char*> {
 protected:
  void encode(const Fixture& fixture, const ReferenceCase& one, runtime::Executor& executor) {
    std::vector<Ints> tokens;
    for (std::size_t row = 0; row < one.rows(); ++row) {
      tokens.push_back(one.tokens(row));
    }
    std::vector<runtime::Row> rows;
    for (std::uint32_t row = 0; row < tokens.size(); ++row) {
      rows.push_back({.tokens = tokens[row], .slot = row});
    }
    const auto done = executor.run("encode", *runtime::make_step(rows));
    ASSERT_TRUE(done) << done.error().message;
    const auto actual = *executor.output("last_hidden_state");
    const ReferenceTensor& expected = one.at("output.encoder_last_hidden_state");
    std::size_t at = 0;
    for (std::size_t row = 0; row < one.rows(); ++row) {
      for (const std::size_t column : one.kept(row)) {
        expect_close(actual.row(at++), expected.floats.data() + (row * one.columns() + column) * actual.columns,
                     actual.columns, fixture.tolerance("encoder_last_hidden_state"), one.name);
      }
    }
  }

  // Logits of the given answers, `chunk` tokens of each a step.
  static std::vector<float> decode(const ReferenceCase& one, runtime::Executor& executor, std::size_t chunk) {
    const ReferenceTensor& given = one.at("input.decoder_input_ids");
    const auto length = static_cast<std::size_t>(given.shape[1]);
    std::vector<std::vector<float>> rows_of(one.rows());
    for (std::size_t past = 0; past < length; past += chunk) {
      std::vector<runtime::Row> rows;
      for (std::size_t row = 0; row < one.rows(); ++row) {
        rows.push_back({.tokens = std::span(given.ints).subspan(row * length + past, std::min(chunk, length - past)),
                        .slot = static_cast<std::uint32_t>(row),
                        .past = static_cast<std::uint32_t>(past),
                        .memory_length = static_cast<std::uint32_t>(one.kept(row).size()),
                        .wants_every_output = true});
      }
      const auto done = executor.run("decode", *runtime::make_step(rows));
      EXPECT_TRUE(done) << done.error().message;
      const auto logits = *executor.output("logits");
      for (std::size_t at = 0; at < logits.rows; ++at) {
        auto& out = rows_of[at / rows[0].tokens.size()];
        out.insert(out.end(), logits.row(at), logits.row(at) + logits.columns);
      }
    }
    std::vector<float> all;
    for (const auto& row : rows_of) {
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  }

  Serial serial_;
};

TEST_P(EncoderDecoderFixture, LogitsAreThoseOfPyTorch) {
  SHOAL_FIXTURE_OR_SKIP(fixture, GetParam());
  const LoadedModel loaded = load_model(fixture->path, serial_);
  auto executor = runtime::Executor::make(loaded.model.plan, loaded.weights, limits(), serial_);
  ASSERT_TRUE(executor) << executor.error().message;
  for (const ReferenceCase& one : fixture->cases) {
    encode(*fixture, one, **executor);
    const auto actual = decode(one, **executor, 8);
    const ReferenceTensor& expected = one.at("output.logits");
    ASSERT_EQ(actual.size(), expected.floats.size());
    expect_close(actual.data(), expected.floats.data(), actual.size(), fixture->tolerance("logits"), one.name);
    EXPECT_EQ(decode(one, **executor, 3), actual) << one.name << " in chunks";
  }
}

TEST_P(EncoderDecoderFixture, GreedyTokensAreThoseOfPyTorch) {
  SHOAL_FIXTURE_OR_SKIP(fixture, GetParam());
  const LoadedModel loaded = load_model(fixture->path, serial_);
  auto executor = runtime::Executor::make(loaded.model.plan, loaded.weights, limits(), serial_);
  ASSERT_TRUE(executor) << executor.error().message;
  for (const ReferenceCase& one : fixture->cases) {
    std::vector<Ints> prompts;
    for (std::size_t row = 0; row < one.rows(); ++row) {
      prompts.push_back(one.tokens(row));
    }
    const auto made =
        runtime::greedy(**executor, prompts, {.max_new_tokens = 24, .decoder_start = loaded.model.facts.decoder_start});
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(*made, one.facts.at("generate").at("ids").get<std::vector<Ints>>()) << one.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EncoderDecoderFixture, testing::Values("t5", "t5_gated", "bart"),
                         [](const auto& name) { return std::string(name.param); });

}  // namespace
}  // namespace shoal::test
