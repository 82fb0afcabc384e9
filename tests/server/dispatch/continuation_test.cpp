#include "server/dispatch/continuation.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace shoal::dispatch {
namespace {

std::vector<Tensor> response(const std::vector<std::int32_t>& ids) {
  const auto count = static_cast<std::int64_t>(ids.size());
  Tensor tokens{.name = "tokens",
                .datatype = DataType::kInt32,
                .shape = {count},
                .data = std::string(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(std::int32_t))};
  Tensor pairs{.name = "top_ids", .datatype = DataType::kInt32, .shape = {count, 2}, .data = {}};
  for (const std::int32_t id : ids) {
    for (const std::int32_t value : {10 * id, 10 * id + 1}) {
      pairs.data.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
  }
  return {std::move(tokens), std::move(pairs)};
}

std::vector<std::int32_t> numbers_of(const Tensor& tensor) {
  std::vector<std::int32_t> out(tensor.data.size() / sizeof(std::int32_t));
  std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
  return out;
}

TEST(ContinuationTest, TheFirstWorkersTokensPass) {
  Continuation continuation;
  auto outputs = response({4, 5});
  ASSERT_TRUE(continuation.take(outputs));
  EXPECT_EQ(numbers_of(outputs[0]), (std::vector{4, 5}));
  std::vector<Tensor> nothing;
  EXPECT_TRUE(continuation.take(nothing));
  EXPECT_EQ(continuation.tokens(), 2U);
  EXPECT_TRUE(continuation.finish());
}

TEST(ContinuationTest, TheNextOnesGoOnBehindThemHoweverTheyArePacked) {
  Continuation continuation;
  auto outputs = response({4, 5, 6});
  ASSERT_TRUE(continuation.take(outputs));
  continuation.restart();
  outputs = response({4});
  ASSERT_TRUE(continuation.take(outputs));
  EXPECT_TRUE(outputs.empty());
  EXPECT_FALSE(continuation.finish()) << "it is shorter than what was had";
  outputs = response({5, 6, 7});
  ASSERT_TRUE(continuation.take(outputs));
  EXPECT_EQ(numbers_of(outputs.at(0)), std::vector{7});
  EXPECT_EQ(outputs[0].shape, Shape{1});
  EXPECT_EQ(numbers_of(outputs.at(1)), (std::vector{70, 71}));
  EXPECT_EQ(outputs[1].shape, (Shape{1, 2}));
  EXPECT_EQ(continuation.tokens(), 4U);
  EXPECT_TRUE(continuation.finish());
  continuation.restart();
  outputs = response({4, 5, 6, 7});
  ASSERT_TRUE(continuation.take(outputs));
  EXPECT_TRUE(outputs.empty());
  EXPECT_TRUE(continuation.finish());
}

TEST(ContinuationTest, OtherTokensAreTheEndOfIt) {
  Continuation continuation;
  auto outputs = response({4, 5});
  ASSERT_TRUE(continuation.take(outputs));
  continuation.restart();
  outputs = response({4, 6});
  const Status taken = continuation.take(outputs);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::kWorkerLost);
}

}  // namespace
}  // namespace shoal::dispatch
