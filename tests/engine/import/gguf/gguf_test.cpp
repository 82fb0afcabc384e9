#include "engine/import/gguf/gguf.hpp"

#include <gtest/gtest.h>

#include "tests/engine/support/gguf_writer.hpp"

namespace shoal::import {
namespace {

using Writer = test::GgufWriter;

Writer header(std::uint64_t tensors, std::uint64_t values, std::uint32_t version = 3) {
  return Writer::header(tensors, values, version);
}

Writer small_file() {
  Writer writer = header(2, 5);
  writer.key("general.architecture", 8).text("llama");
  writer.key("llama.block_count", 4).put(std::uint32_t{30});
  writer.key("llama.rope.freq_base", 6).put(100000.0F);
  writer.key("tokenizer.tokens", 9).put(std::uint32_t{8}).put(std::uint64_t{2}).text("a").text("bc");
  writer.key("tokenizer.types", 9).put(std::uint32_t{5}).put(std::uint64_t{3}).put(-1).put(2).put(3);
  writer.tensor("norm", {64}, 0, 0).tensor("w", {64, 3}, 3, 256);
  return writer.data(256 + 6 * 20);
}

TEST(Gguf, ValuesAndTensorsAreRead) {
  const Writer writer = small_file();
  const auto gguf = writer.parse();
  ASSERT_TRUE(gguf) << gguf.error().message;
  EXPECT_EQ(*gguf->find<std::string>("general.architecture"), "llama");
  EXPECT_EQ(*gguf->find<std::uint64_t>("llama.block_count"), 30U);
  EXPECT_EQ(*gguf->find<double>("llama.rope.freq_base"), 100000.0);
  EXPECT_EQ(*gguf->find<std::vector<std::string>>("tokenizer.tokens"), (std::vector<std::string>{"a", "bc"}));
  EXPECT_EQ(*gguf->find<std::vector<std::int64_t>>("tokenizer.types"), (std::vector<std::int64_t>{-1, 2, 3}));
  EXPECT_EQ(gguf->find<std::uint64_t>("general.architecture"), nullptr) << "another type";
  EXPECT_EQ(gguf->find<std::string>("absent"), nullptr);
  const GgufTensor& w = gguf->tensors.at("w");
  EXPECT_EQ(w.type->name, "Q4_1");
  EXPECT_EQ(w.row_length(), 64U);
  EXPECT_EQ(w.row_count(), 3U);
  EXPECT_EQ(w.row_bytes(), 40U);
  EXPECT_EQ(w.bytes, 120U);
  EXPECT_EQ(w.offset + w.bytes, writer.bytes.size());
  EXPECT_EQ(gguf->tensors.at("norm").offset % 32, 0U);
}

TEST(Gguf, EveryTruncationIsAnError) {
  const Writer writer = small_file();
  for (std::size_t size = 0; size < writer.bytes.size(); ++size) {
    const auto gguf = parse_gguf(as_bytes(writer.bytes).first(size), size);
    ASSERT_FALSE(gguf) << size;
    EXPECT_EQ(gguf.error().code, Code::kInvalidArgument);
  }
}

TEST(Gguf, TheHeadAloneIsEnough) {
  const Writer writer = small_file();
  const std::size_t data = writer.bytes.size() - 256 - 120;
  EXPECT_TRUE(parse_gguf(as_bytes(writer.bytes).first(data), writer.bytes.size()));
  EXPECT_FALSE(parse_gguf(as_bytes(writer.bytes).first(data), writer.bytes.size() - 1));
}

void expect_refused(const Writer& writer, std::string_view words) {
  const auto gguf = writer.parse();
  ASSERT_FALSE(gguf) << words;
  EXPECT_NE(gguf.error().message.find(words), std::string::npos) << gguf.error().message;
}

TEST(Gguf, WhatIsWrongIsNamed) {
  Writer other;
  other.bytes = "GGML and more than enough bytes";
  expect_refused(other, "does not start");
  expect_refused(header(0, 0, 1), "version 1");
  expect_refused(header(0, 1).key("k", 13).put(0), "'k' has type 13");
  expect_refused(header(0, 1).key("k", 9).put(std::uint32_t{9}).put(std::uint64_t{1}).data(64),
                 "'k' has elements of type 9");
  expect_refused(header(0, 1).key("k", 9).put(std::uint32_t{10}).put(~std::uint64_t{0}).data(64), "the array 'k'");
  expect_refused(header(0, 1).key("k", 8).put(~std::uint64_t{0}).data(64), "the value 'k'");
  expect_refused(header(0, 2).key("k", 7).put(true).key("k", 7).put(true), "'k' twice");
  expect_refused(header(1, 0).tensor("t", {1, 1, 1, 1, 1}, 0, 0).data(64), "5 dimensions");
  expect_refused(header(1, 0).tensor("t", {0, 4}, 0, 0).data(64), "empty");
  expect_refused(header(1, 0).tensor("t", {std::uint64_t{1} << 40, std::uint64_t{1} << 40}, 0, 0).data(64), "2^48");
  expect_refused(header(1, 0).tensor("t", {4}, 99, 0).data(64), "type 99");
  expect_refused(header(1, 0).tensor("t", {33}, 2, 0).data(64), "whole blocks of Q4_0");
  expect_refused(header(1, 0).tensor("t", {16}, 0, 4).data(64), "not aligned");
  expect_refused(header(1, 0).tensor("t", {17}, 0, 0).data(64), "beyond the end");
  expect_refused(header(1, 0).tensor("t", {4}, 0, ~std::uint64_t{31}).data(64), "beyond the end");
  expect_refused(header(2, 0).tensor("t", {4}, 0, 0).tensor("t", {4}, 0, 0).data(64), "'t' twice");
  expect_refused(header(0, 1).key("general.alignment", 4).put(std::uint32_t{33}), "general.alignment is 33");
  expect_refused(header(~std::uint64_t{0}, 0), "inside");
}

}  // namespace
}  // namespace shoal::import
