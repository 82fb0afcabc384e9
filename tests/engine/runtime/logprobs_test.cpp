#include "engine/runtime/logprobs.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace shoal::runtime {
namespace {

using Logits = std::vector<float>;

TEST(Logprobs, AreLogarithmsOfTheSoftmax) {
  const Logits logits = {std::log(1.0F), std::log(2.0F), std::log(5.0F), std::log(8.0F), std::log(4.0F)};
  const TokenLogprobs told = logprobs_of(logits, {}, 1, 3);
  EXPECT_NEAR(told.chosen, std::log(2.0 / 20), 1e-6);
  ASSERT_EQ(told.top.size(), 3U);
  const std::int32_t ids[] = {3, 2, 4};
  const double parts[] = {8, 5, 4};
  for (std::size_t index = 0; index < 3; ++index) {
    EXPECT_EQ(told.top[index].first, ids[index]);
    EXPECT_NEAR(told.top[index].second, std::log(parts[index] / 20), 1e-6);
  }
  EXPECT_TRUE(logprobs_of(logits, {}, 1, 0).top.empty());
}

TEST(Logprobs, OfEqualsTheLowestIdComesFirst) {
  const Logits logits = {1, 2, 2, 1, 2};
  const TokenLogprobs told = logprobs_of(logits, {}, 0, 4);
  std::vector<std::int32_t> ids;
  for (const auto& [id, logprob] : told.top) {
    ids.push_back(id);
  }
  EXPECT_THAT(ids, testing::ElementsAre(1, 2, 4, 0));
}

TEST(Logprobs, BiasesCountAndWhatIsForbiddenDoesNot) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const Logits logits = {0, kNever, 0, kNever};
  const std::pair<std::int32_t, float> bias[] = {{2, std::log(3.0F)}};
  const TokenLogprobs told = logprobs_of(logits, bias, 2, 2);
  EXPECT_NEAR(told.chosen, std::log(0.75), 1e-6);
  EXPECT_NEAR(told.top[1].second, std::log(0.25), 1e-6);
  EXPECT_EQ(logprobs_of(logits, {}, 3, 1).chosen, kNever);
}

}  // namespace
}  // namespace shoal::runtime
