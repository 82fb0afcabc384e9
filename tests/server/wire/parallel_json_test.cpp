#include "server/wire/parallel_json.hpp"

#include <gtest/gtest.h>

namespace shoal::wire {
namespace {

TEST(ParallelJson, ItemsNameTheirModelAndKeepTheirText) {
  const std::string text =
      R"({"requests": [{"model_name": "a", "inputs": [1, {"x": [2]}]}, {"id": "7", "model_version": "2", "model_name": "b\n"}]})";
  const auto call = parse_parallel(text);
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_FALSE(call->timeout);
  const auto* items = &call->items;
  ASSERT_EQ(items->size(), 2U);
  EXPECT_EQ(items->at(0).model, "a");
  EXPECT_EQ(items->at(0).version, "");
  EXPECT_EQ(items->at(0).body, R"({"model_name": "a", "inputs": [1, {"x": [2]}]})");
  EXPECT_EQ(items->at(1).model, "b\n");
  EXPECT_EQ(items->at(1).version, "2");
}

TEST(ParallelJson, WhatIsNoListIsRefused) {
  for (const std::string text :
       {"", "[]", "{}", "1", R"({"requests": {}})", R"({"requests": []})", R"({"requests": [null]})",
        R"({"requests": [{"model_name": 1}]})", R"({"requests": [{"model_name": ""}]})",
        R"({"requests": [{"model_name": "a"}]} x)", R"({"requests": [{"model_name": "a"}], "timeout": 0})",
        R"({"requests": [{"model_name": "a"}], "timeout": 1.5})",
        R"({"requests": [{"model_name": "a"}], "timeout": "1"})", R"({"timeout": 1})",
        R"({"requests": [{"model_name": "a"}], "deadline": 1})",
        R"({"requests": [{"model_name": "a", "model_name": "b"}]})"}) {
    const auto items = parse_parallel(text);
    ASSERT_FALSE(items) << text;
    EXPECT_EQ(items.error().code, Code::kInvalidArgument) << text;
    EXPECT_FALSE(items.error().message.empty());
  }
  EXPECT_FALSE(parse_parallel(R"({"requests": )" + std::string(100'000, '[')));
}

TEST(ParallelJson, OneTimeoutIsForAll) {
  EXPECT_EQ(parse_parallel(R"({"timeout": 2500, "requests": [{"model_name": "a"}]})")->timeout,
            std::chrono::microseconds(2500));
  EXPECT_EQ(parse_parallel(R"({"timeout": 9223372036854775807, "requests": [{"model_name": "a"}]})")->timeout,
            std::chrono::hours(24));
}

TEST(ParallelJson, IsBounded) {
  const auto of = [](std::size_t count) {
    std::string text = R"({"requests": [{"model_name": "a"})";
    for (std::size_t index = 1; index < count; ++index) {
      text += R"(, {"model_name": "a"})";
    }
    return parse_parallel(text + "]}");
  };
  EXPECT_TRUE(of(kMaxParallel));
  EXPECT_FALSE(of(kMaxParallel + 1));
}

}  // namespace
}  // namespace shoal::wire
