#include "engine/import/recipe.hpp"

#include <gmock/gmock.h>

#include "tests/engine/support/memory_files.hpp"

namespace shoal::import {
namespace {

using testing::ElementsAre;

class RecipeTest : public testing::Test {
 protected:
  RecipeTest() {
    files_.add("model.safetensors", test::safetensors_of({{"a", {2, 3}, {1, 2, 3, 4, 5, 6}},
                                                          {"b", {1, 3}, {7, 8, 9}},
                                                          {"v", {3}, {10, 20, 30}},
                                                          {"deep", {1, 1, 1}, {0}}}));
    checkpoint_ = *Checkpoint::open(files_);
  }

  std::vector<float> rows(const Recipe& recipe, std::uint32_t first, std::uint32_t count) {
    const auto fits = check(recipe, checkpoint_);
    EXPECT_TRUE(fits) << fits.error().message;
    std::vector<float> out(std::size_t{count} * recipe.columns);
    read_rows(recipe, checkpoint_, first, count, out.data());
    return out;
  }

  test::MemoryFiles files_;
  Checkpoint checkpoint_;
};

TEST_F(RecipeTest, StacksTensorsAndReadsAcrossThem) {
  auto recipe = *whole_tensor(checkpoint_, "a");
  ASSERT_TRUE(stack(recipe, *whole_tensor(checkpoint_, "b")));
  EXPECT_EQ(recipe.rows, 3U);
  EXPECT_THAT(rows(recipe, 0, 3), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(rows(recipe, 1, 2), ElementsAre(4, 5, 6, 7, 8, 9));
}

TEST_F(RecipeTest, TransposesReordersAndFolds) {
  const auto transposed = *whole_tensor(checkpoint_, "a", true);
  EXPECT_THAT(rows(transposed, 0, 3), ElementsAre(1, 4, 2, 5, 3, 6));
  auto vector = *whole_tensor(checkpoint_, "v");
  EXPECT_EQ(vector.columns, 1U);
  vector.factor = 0.5F;
  vector.offset = 1;
  EXPECT_THAT(rows(vector, 0, 3), ElementsAre(6, 11, 16));
  auto swapped = *whole_tensor(checkpoint_, "a");
  swapped.parts = {{.tensor = "a", .first_row = 1, .row_count = 1}, {.tensor = "a", .first_row = 0, .row_count = 1}};
  EXPECT_THAT(rows(swapped, 0, 2), ElementsAre(4, 5, 6, 1, 2, 3));
  const Recipe numbers{.parts = {}, .numbers = {1, 2, 3}, .rows = 3};
  EXPECT_THAT(rows(numbers, 1, 2), ElementsAre(2, 3));
}

TEST_F(RecipeTest, RefusesWhatDoesNotFit) {
  EXPECT_EQ(whole_tensor(checkpoint_, "missing").error().code, Code::kNotFound);
  EXPECT_EQ(whole_tensor(checkpoint_, "deep").error().param, "deep");
  auto recipe = *whole_tensor(checkpoint_, "a");
  EXPECT_FALSE(stack(recipe, *whole_tensor(checkpoint_, "v")));
  auto beyond = *whole_tensor(checkpoint_, "a");
  beyond.parts[0].first_row = 1;
  EXPECT_THAT(check(beyond, checkpoint_).error().message, testing::HasSubstr("has only 2 rows"));
  beyond.parts[0].first_row = 0xFFFFFFFFU;
  EXPECT_FALSE(check(beyond, checkpoint_));
  auto fewer = *whole_tensor(checkpoint_, "a");
  fewer.rows = 3;
  EXPECT_FALSE(check(fewer, checkpoint_));
  const Recipe numbers{.parts = {}, .numbers = {1, 2, 3}, .rows = 4};
  EXPECT_FALSE(check(numbers, checkpoint_));
}

}  // namespace
}  // namespace shoal::import
