#include "server/pool/partial_outputs.hpp"

#include <gtest/gtest.h>

namespace shoal::pool {
namespace {

// One byte a row, and two.
std::vector<Tensor> group(const std::string& tokens) {
  std::string wide;
  for (const char one : tokens) {
    wide += {one, one};
  }
  const auto rows = static_cast<std::int64_t>(tokens.size());
  return {{.name = "tokens", .datatype = DataType::kUint8, .shape = {rows}, .data = tokens},
          {.name = "wide", .datatype = DataType::kUint8, .shape = {rows, 2}, .data = wide}};
}

void expect(const std::vector<Tensor>& taken, const std::string& tokens) {
  const std::vector<Tensor> expected = tokens.empty() ? std::vector<Tensor>() : group(tokens);
  ASSERT_EQ(taken.size(), expected.size());
  for (std::size_t index = 0; index < taken.size(); ++index) {
    EXPECT_EQ(taken[index].name, expected[index].name);
    EXPECT_EQ(taken[index].shape, expected[index].shape);
    EXPECT_EQ(taken[index].data, expected[index].data);
  }
}

TEST(PartialOutputs, WhatNobodyHasHadIsJoined) {
  PartialOutputs parts;
  EXPECT_TRUE(parts.is_empty());
  ASSERT_TRUE(parts.add(group("a")));
  ASSERT_TRUE(parts.add(group("bc")));
  expect(parts.take(), "abc");
  expect(parts.take(), "");
  ASSERT_TRUE(parts.add(group("d")));
  EXPECT_FALSE(parts.is_empty());
  expect(parts.take(), "d");
}

TEST(PartialOutputs, WhatComesAgainIsDroppedHoweverItIsCut) {
  PartialOutputs parts;
  ASSERT_TRUE(parts.add(group("ab")));
  expect(parts.take(), "ab");
  ASSERT_TRUE(parts.add(group("c")));
  parts.restart();
  ASSERT_TRUE(parts.add(group("a")));
  expect(parts.take(), "c");
  ASSERT_TRUE(parts.add(group("bcd")));
  expect(parts.take(), "d");
  // Again, in the middle of what came again.
  parts.restart();
  ASSERT_TRUE(parts.add(group("ab")));
  parts.restart();
  ASSERT_TRUE(parts.add(group("abcde")));
  expect(parts.take(), "e");
}

TEST(PartialOutputs, OtherTensorsAreRefused) {
  PartialOutputs parts;
  ASSERT_TRUE(parts.add({}));
  auto uneven = group("ab");
  uneven[1].shape = {1, 4};
  EXPECT_EQ(parts.add(uneven).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(parts.add(group("")));
  auto scalar = group("a");
  scalar[0].shape = {};
  EXPECT_FALSE(parts.add(scalar));
  auto text = group("a");
  text[0].datatype = DataType::kBytes;
  EXPECT_FALSE(parts.add(text));
  ASSERT_TRUE(parts.add(group("a")));
  auto renamed = group("b");
  renamed[0].name = "other";
  EXPECT_FALSE(parts.add(renamed));
  EXPECT_FALSE(parts.add({group("b")[0]}));
}

}  // namespace
}  // namespace shoal::pool
