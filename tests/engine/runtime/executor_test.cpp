#include "engine/runtime/executor.hpp"

#include <gmock/gmock.h>

#include "tests/engine/support/small_models.hpp"
#include "tests/engine/support/threads.hpp"

namespace shoal::runtime {
namespace {

using graph::Symbol;
using Ints = std::vector<std::int32_t>;

graph::Extents limits() {
  graph::Extents out;
  out[Symbol::kRows] = 4;
  out[Symbol::kTokens] = 40;
  out[Symbol::kOutputs] = 40;
  return out;
}

// The embeddings of sequences, as one step.
std::vector<std::vector<float>> embed(Executor& executor, const std::vector<Ints>& sequences) {
  std::vector<Row> rows;
  for (std::uint32_t index = 0; index < sequences.size(); ++index) {
    rows.push_back({.tokens = sequences[index], .slot = index});
  }
  const auto done = executor.run("encode", *make_step(rows));
  EXPECT_TRUE(done) << done.error().message;
  const auto output = executor.output("embedding");
  EXPECT_TRUE(output) << output.error().message;
  std::vector<std::vector<float>> out;
  for (std::size_t row = 0; row < output->rows; ++row) {
    out.emplace_back(output->row(row), output->row(row) + output->columns);
  }
  return out;
}

const std::vector<Ints> kSequences = {{1, 2, 3, 4, 5}, {6}, {7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}};

TEST(Executor, ARowDoesNotDependOnItsNeighboursNorOnThreads) {
  Serial serial;
  const auto small = test::small_bert(serial);
  auto executor = *Executor::make(small.model.plan, small.weights, limits(), serial);
  const auto together = embed(*executor, kSequences);
  ASSERT_EQ(together.size(), 3U);
  for (std::size_t index = 0; index < kSequences.size(); ++index) {
    EXPECT_EQ(embed(*executor, {kSequences[index]})[0], together[index]);
  }
  test::Threads threads(3);
  const auto other = test::small_bert(threads);
  auto threaded = *Executor::make(other.model.plan, other.weights, limits(), threads);
  EXPECT_EQ(embed(*threaded, kSequences), together);
  EXPECT_NE(together[0], together[2]);
}

TEST(Executor, RefusesStepsThatTheModelCannotTake) {
  Serial serial;
  const auto small = test::small_bert(serial);
  auto executor = *Executor::make(small.model.plan, small.weights, limits(), serial);
  const auto error_of = [&](const Ints& tokens, const Ints& types = {}) {
    const Row row{.tokens = tokens, .token_types = types};
    const auto done = executor->run("encode", *make_step({&row, 1}));
    return done ? Error{Code::kInternal, "accepted", {}} : done.error();
  };
  EXPECT_THAT(error_of({1, 50}).message, testing::HasSubstr("embeddings: tokens: 50 is not below 50"));
  EXPECT_EQ(error_of({1, -1}).code, Code::kInvalidArgument);
  EXPECT_EQ(error_of({1, 2}, {0, 2}).param, "token_types");
  EXPECT_EQ(error_of(Ints(21, 1)).code, Code::kContextLengthExceeded);
  EXPECT_THAT(error_of(Ints(41, 1)).message, testing::HasSubstr("41 in T, at most 40"));
  EXPECT_FALSE(executor->output("embedding"));
  const Row row{.tokens = kSequences[0]};
  EXPECT_EQ(executor->run("decode", *make_step({&row, 1})).error().code, Code::kNotFound);
  EXPECT_EQ(embed(*executor, {kSequences[0]})[0].size(), 16U);
  EXPECT_EQ(executor->output("logits").error().code, Code::kNotFound);
}

TEST(Executor, RefusesLimitsThatNoMemoryHolds) {
  Serial serial;
  const auto small = test::small_bert(serial);
  graph::Extents huge = limits();
  huge[Symbol::kTokens] = 0xFFFFFFFFU;
  EXPECT_EQ(Executor::make(small.model.plan, small.weights, huge, serial).error().code, Code::kInvalidArgument);
}

TEST(Executor, ReportsTheMemoryItTook) {
  Serial serial;
  const auto small = test::small_bert(serial);
  auto executor = *Executor::make(small.model.plan, small.weights, limits(), serial);
  // The widest moment is q, k and v beside the residual.
  EXPECT_GE(executor->memory().values, 40U * (48 + 16) * sizeof(float));
  EXPECT_LE(executor->memory().values, 40U * (48 + 4 * 16 + 16) * sizeof(float));
  EXPECT_EQ(executor->memory().state, 0U);
}

TEST(Executor, MemoryIsToldFromThePlanAlone) {
  Serial serial;
  test::Threads threads(3);
  const auto encoder = test::small_bert(serial);
  const auto decoder = test::small_llama(serial);
  for (Parallel* parallel : {static_cast<Parallel*>(&serial), static_cast<Parallel*>(&threads)}) {
    for (const auto* small : {&encoder, &decoder}) {
      graph::Extents some = limits();
      some[Symbol::kSlots] = 3;
      some[Symbol::kContext] = 50;
      const auto executor = *Executor::make(small->model.plan, small->weights, some, *parallel);
      const auto told = memory_of(small->model.plan, some, parallel->lanes());
      EXPECT_EQ(told->values, executor->memory().values);
      EXPECT_EQ(told->state, executor->memory().state);
      EXPECT_EQ(told->scratch, executor->memory().scratch);
    }
  }
}

}  // namespace
}  // namespace shoal::runtime
