#include "engine/runtime/greedy.hpp"

#include <gmock/gmock.h>

#include "tests/engine/support/small_models.hpp"

namespace shoal::runtime {
namespace {

using graph::Symbol;
using Ints = std::vector<std::int32_t>;

graph::Extents limits() {
  graph::Extents out;
  out[Symbol::kRows] = 3;
  out[Symbol::kTokens] = 32;
  out[Symbol::kOutputs] = 32;
  out[Symbol::kSlots] = 3;
  out[Symbol::kContext] = 16;
  return out;
}

class GreedyTest : public testing::Test {
 protected:
  Serial serial_;
  test::SmallModel small_ = test::small_llama(serial_);
  std::unique_ptr<Executor> executor_ = *Executor::make(small_.model.plan, small_.weights, limits(), serial_);
};

TEST_F(GreedyTest, BatchesAndChunksMakeTheSameTokens) {
  const std::vector<Ints> prompts = {{1, 2, 3, 4, 5}, {6, 7}, {8, 9, 10, 11, 12, 13, 14}};
  const auto together = *greedy(*executor_, prompts, {.max_new_tokens = 8});
  ASSERT_EQ(together.size(), 3U);
  for (std::size_t index = 0; index < prompts.size(); ++index) {
    EXPECT_EQ(together[index].size(), 8U);
    EXPECT_EQ(greedy(*executor_, {&prompts[index], 1}, {.max_new_tokens = 8})->at(0), together[index]);
  }
  EXPECT_EQ(*greedy(*executor_, prompts, {.max_new_tokens = 8, .chunk = 2}), together);
}

TEST_F(GreedyTest, StopsBeforeAnEndTokenAndWhenTold) {
  const std::vector<Ints> prompt = {{1, 2, 3}};
  const Ints all = greedy(*executor_, prompt, {.max_new_tokens = 6})->at(0);
  const Ints eos = {all[3]};
  const auto first = std::find(all.begin(), all.end(), all[3]);
  EXPECT_EQ(greedy(*executor_, prompt, {.max_new_tokens = 6, .eos = eos})->at(0), Ints(all.begin(), first));
  Ints seen;
  const auto told = greedy(*executor_, prompt, {.max_new_tokens = 6, .on_token = [&](std::size_t, std::int32_t token) {
                                                  seen.push_back(token);
                                                  return seen.size() < 2;
                                                }});
  EXPECT_EQ(told->at(0), Ints(all.begin(), all.begin() + 2));
  EXPECT_EQ(greedy(*executor_, prompt, {.max_new_tokens = 0})->at(0), Ints());
}

TEST_F(GreedyTest, ASlotThatIsFullIsATypedError) {
  const std::vector<Ints> prompt = {Ints(15, 1)};
  const auto full = greedy(*executor_, prompt, {.max_new_tokens = 5});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kContextLengthExceeded);
  EXPECT_THAT(full.error().message, testing::HasSubstr("17 positions in a slot of 16"));
  const Row beyond{.tokens = prompt[0], .slot = 3};
  EXPECT_EQ(executor_->run("decode", *make_step({&beyond, 1})).error().param, "slots");
}

TEST(Likeliest, IsTheFirstOfTheLargest) {
  const std::vector<float> logits = {1, 5, 5, -2};
  EXPECT_EQ(likeliest(logits), 1);
}

}  // namespace
}  // namespace shoal::runtime
