#include "engine/import/gguf/gguf_blocks.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace shoal::import {
namespace {

struct Golden {
  std::uint32_t type;
  std::size_t blocks;
  std::vector<std::size_t> halves;  // offsets of the binary16 fields of a block
  std::uint64_t hash;               // FNV-1a over the floats' bytes, by the decoder of the Python package gguf
};

const std::vector<Golden> kGolden = {
    {2, 3, {0}, 0xe07034d2a0ea3fbb},     {3, 3, {0, 2}, 0xf769b98e3bde88a6},  {6, 3, {0}, 0x77310a95f25b65cf},
    {7, 3, {0, 2}, 0xa3e0c8f5811e5fd5},  {8, 3, {0}, 0x2396bf66d3e0e1f1},     {10, 3, {80, 82}, 0xeb390f9cea386953},
    {12, 3, {0, 2}, 0xeb16993017038c87}, {13, 3, {0, 2}, 0x1e71627992bb369c}, {14, 3, {208}, 0x3dcbb2b929255740},
    {1, 96, {0}, 0xdfc388db0143cce},     {30, 96, {0}, 0x78437fc270925fae},
};

// Blocks of any bytes whose binary16 fields are finite.
std::vector<std::byte> random_blocks(const Golden& golden) {
  const GgufType& type = *gguf_type(golden.type);
  std::vector<std::byte> bytes(golden.blocks * type.block_bytes);
  std::uint32_t state = 12345;
  for (std::byte& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  for (std::size_t block = 0; block < golden.blocks; ++block) {
    for (const std::size_t half : golden.halves) {
      bytes[block * type.block_bytes + half + 1] &= std::byte{0xBF};
    }
  }
  return bytes;
}

std::uint64_t fnv(const std::vector<float>& values) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::byte byte : std::as_bytes(std::span(values))) {
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
  }
  return hash;
}

std::vector<float> dequantized(const GgufType& type, Bytes bytes) {
  std::vector<float> values(bytes.size() / type.block_bytes * type.block_elements);
  EXPECT_TRUE(dequantize_gguf_row(type, bytes, values));
  return values;
}

TEST(GgufBlocks, FloatsAreThoseOfAnotherDecoder) {
  for (const Golden& golden : kGolden) {
    const GgufType& type = *gguf_type(golden.type);
    EXPECT_EQ(fnv(dequantized(type, random_blocks(golden))), golden.hash) << type.name;
  }
}

TEST(GgufBlocks, RepackedRowsHaveTheSameFloats) {
  std::size_t repacked = 0;
  for (const Golden& golden : kGolden) {
    const GgufType& type = *gguf_type(golden.type);
    const auto format = lossless_format(type);
    if (!format) {
      continue;
    }
    ++repacked;
    const auto bytes = random_blocks(golden);
    const auto expected = dequantized(type, bytes);
    const auto layout = formats::layout_of(*format, 3, expected.size());
    std::vector<std::uint32_t> memory(layout->bytes / 4);
    const auto matrix = formats::matrix_writer(*format, 3, expected.size(), std::as_writable_bytes(std::span(memory)));
    ASSERT_TRUE(matrix);
    ASSERT_TRUE(repack_gguf_row(type, bytes, *matrix, 2));
    std::vector<float> stored(expected.size());
    formats::dequantize_row({*format, *layout, matrix->data}, 2, stored);
    EXPECT_EQ(std::memcmp(stored.data(), expected.data(), stored.size() * 4), 0) << type.name;
  }
  EXPECT_EQ(repacked, 5U);
}

TEST(GgufBlocks, WhatDoesNotFitIsRefused) {
  const GgufType& type = *gguf_type(3);
  std::vector<float> values(64);
  std::vector<std::byte> bytes(39);
  EXPECT_EQ(dequantize_gguf_row(type, bytes, values).error().code, Code::kInvalidArgument);
  EXPECT_EQ(dequantize_gguf_row(*gguf_type(11), bytes, values).error().code, Code::kPrecisionNotSupported);
  bytes.resize(40);
  bytes[1] = std::byte{0x7C};
  const auto format = *lossless_format(type);
  std::vector<std::uint32_t> memory(formats::layout_of(format, 1, 64)->bytes / 4);
  const auto matrix = *formats::matrix_writer(format, 1, 64, std::as_writable_bytes(std::span(memory)));
  EXPECT_NE(repack_gguf_row(type, bytes, matrix, 0).error().message.find("not finite"), std::string::npos);
  EXPECT_FALSE(repack_gguf_row(type, bytes, matrix, 1));
  EXPECT_FALSE(repack_gguf_row(*gguf_type(2), bytes, matrix, 0));
}

// (x0, x1) pairs beside each other become the two halves of a head.
TEST(GgufBlocks, RotaryRowsAreSplitIntoHalves) {
  std::vector<std::uint64_t> rows;
  for (std::uint64_t row = 0; row < 12; ++row) {
    rows.push_back(half_split_row(row, 6));
    EXPECT_EQ(interleaved_row(rows.back(), 6), row);
  }
  EXPECT_EQ(rows, (std::vector<std::uint64_t>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
}

}  // namespace
}  // namespace shoal::import
