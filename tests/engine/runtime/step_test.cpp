#include "engine/runtime/step.hpp"

#include <gtest/gtest.h>

namespace shoal::runtime {
namespace {

using Ints = std::vector<std::int32_t>;

TEST(Step, PacksRowsOneAfterTheOther) {
  const Ints first = {5, 6, 7};
  const Ints second = {8};
  const Ints types = {0, 1, 1};
  const Row rows[] = {{.tokens = first, .token_types = types, .slot = 3, .past = 10, .memory_length = 2},
                      {.tokens = second, .slot = 1, .past = 4}};
  const auto step = make_step(rows);
  ASSERT_TRUE(step) << step.error().message;
  EXPECT_EQ(step->tokens, (Ints{5, 6, 7, 8}));
  EXPECT_EQ(step->positions, (Ints{10, 11, 12, 4}));
  EXPECT_EQ(step->token_types, (Ints{0, 1, 1, 0}));
  EXPECT_EQ(step->row_starts, (Ints{0, 3, 4}));
  EXPECT_EQ(step->slots, (Ints{3, 1}));
  EXPECT_EQ(step->past, (Ints{10, 4}));
  EXPECT_EQ(step->memory_lengths, (Ints{2, 0}));
  EXPECT_EQ(step->output_tokens, (Ints{2, 3}));
  EXPECT_EQ(step->extents[graph::Symbol::kRows], 2U);
  EXPECT_EQ(step->extents[graph::Symbol::kTokens], 4U);
  EXPECT_EQ(step->extents[graph::Symbol::kOutputs], 2U);
}

TEST(Step, EveryOutputOfARowThatWantsThem) {
  const Ints tokens = {5, 6};
  const Row rows[] = {{.tokens = tokens, .slot = 0, .wants_every_output = true}, {.tokens = tokens, .slot = 1}};
  EXPECT_EQ(make_step(rows)->output_tokens, (Ints{0, 1, 3}));
}

TEST(Step, RefusesRowsThatCannotBe) {
  const Ints tokens = {5, 6};
  const Ints one = {1};
  const Row empty[] = {{.tokens = {}}};
  const Row types[] = {{.tokens = tokens, .token_types = one}};
  const Row slots[] = {{.tokens = tokens, .slot = 2}, {.tokens = one, .token_types = {}, .slot = 2}};
  const Row late[] = {{.tokens = tokens, .slot = 0, .past = 0x7FFFFFFFU}};
  EXPECT_EQ(make_step({}).error().param, "tokens");
  EXPECT_EQ(make_step(empty).error().param, "tokens");
  EXPECT_EQ(make_step(types).error().param, "token_types");
  EXPECT_EQ(make_step(slots).error().param, "slots");
  EXPECT_EQ(make_step(late).error().param, "tokens");
}

}  // namespace
}  // namespace shoal::runtime
