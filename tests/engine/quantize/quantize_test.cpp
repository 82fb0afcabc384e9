#include "engine/quantize/quantize.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace shoal::quantize {
namespace {

using formats::BlockFormat;

struct Quantized {
  std::vector<std::uint32_t> memory;
  formats::BlockMatrix matrix;
  StorageError error;
};

Quantized quantize(std::string_view name, const std::vector<float>& values, std::uint64_t n, const Options& options) {
  const BlockFormat format = *formats::parse_format(name);
  const std::size_t k = values.size() / n;
  Quantized result;
  result.memory.resize(formats::layout_of(format, n, k)->bytes / 4);
  const auto writer = *formats::matrix_writer(format, n, k, std::as_writable_bytes(std::span(result.memory)));
  result.matrix = {format, writer.layout, writer.data};
  for (std::uint64_t row = 0; row < n; ++row) {
    const std::span<const float> row_values(&values[row * k], k);
    EXPECT_TRUE(quantize_row(writer, row, row_values, options));
    result.error.add(storage_error(result.matrix, row, row_values));
  }
  return result;
}

std::vector<float> gaussian_rows(std::size_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.02F);
  std::vector<float> values(count);
  for (float& value : values) {
    value = normal(random);
  }
  return values;
}

// The known errors of a search without weights on Gaussian rows, in percent of the squares.
TEST(Quantize, SearchReachesTheKnownErrorsOfGaussianRows) {
  const auto values = gaussian_rows(std::size_t{24} * 1536);
  const std::pair<std::string_view, double> anchors[] = {
      {"q2-asym-s8z8-g32", 8.67}, {"q3-asym-s8z8-g32", 2.07},  {"q4-asym-s8z8-g32", 0.479}, {"q2-asym-s8z8-g64", 10.08},
      {"q3-asym-s8z8-g64", 2.66}, {"q4-asym-s8z8-g64", 0.650}, {"q2-asym-f16-g32", 8.66},   {"q4-asym-f16-g32", 0.478},
  };
  for (const auto& [name, percent] : anchors) {
    const double found = 100 * quantize(name, values, 24, {.weigh_magnitude = false}).error.relative();
    EXPECT_LT(found, percent * 1.03) << name;
    EXPECT_GT(found, percent * 0.97) << name << ": better than possible is a mistake in the measure";
    // Weighting large values gives a little of the plain error away.
    EXPECT_LT(100 * quantize(name, values, 24, {}).error.relative(), percent * 1.10) << name;
  }
  EXPECT_LT(100 * quantize("q8-asym-s8z8-g32", values, 24, {}).error.relative(), 0.003);
  EXPECT_LT(100 * quantize("q8-sym-f16-g32", values, 24, {}).error.relative(), 0.004);
}

TEST(Quantize, NearestIsWithinHalfAStep) {
  const auto values = gaussian_rows(std::size_t{4} * 256);
  for (const std::string_view name : {"q2-asym-f16-g32", "q4-asym-f16-g64", "q8-asym-f16-g256"}) {
    const auto stored = quantize(name, values, 4, {.method = Method::kNearest});
    for (std::uint64_t row = 0; row < 4; ++row) {
      std::vector<float> back(256);
      formats::dequantize_row(stored.matrix, row, back);
      for (std::size_t index = 0; index < 256; ++index) {
        const float scale = formats::read_scale(stored.matrix, row, index / stored.matrix.format.block).scale;
        // Scale and min were rounded to f16 as well.
        EXPECT_LE(std::fabs(back[index] - values[row * 256 + index]), scale * 0.5F + 0.0002F) << name;
      }
    }
  }
}

TEST(Quantize, SearchBeatsNearestInEveryFormat) {
  const auto values = gaussian_rows(std::size_t{4} * 512);
  for (const std::string_view name : {"q2-asym-s8z8-g16", "q2-sym-s8z8-g32", "q2-sym-f16-g32", "q3-sym-f16-g64",
                                      "q3-asym-f16-g32", "q4-sym-s8z8-g32", "q4-sym-f16-g128", "q4-asym-s8z8-g256"}) {
    const double nearest = quantize(name, values, 4, {.method = Method::kNearest}).error.relative();
    EXPECT_LT(quantize(name, values, 4, {.weigh_magnitude = false}).error.relative(), nearest) << name;
  }
}

// A block far smaller than the largest of its row has only a few steps of the u8 scale left.
TEST(Quantize, UnevenRowsAndRowsOfZeros) {
  std::vector<float> values = gaussian_rows(std::size_t{3} * 64);
  for (std::size_t index = 0; index < 32; ++index) {
    values[index] *= 50;
    values[64 + index] = 0;
    values[128 + index] = values[160 + index] = 0;
  }
  for (const std::string_view name : {"q4-asym-s8z8-g32", "q2-sym-s8z8-g32", "q3-asym-f16-g32"}) {
    const auto stored = quantize(name, values, 3, {});
    std::vector<float> back(64);
    formats::dequantize_row(stored.matrix, 2, back);
    EXPECT_EQ(back, std::vector<float>(64, 0.0F)) << name;
    EXPECT_LT(stored.error.relative(), 0.2) << name;
  }
}

TEST(Quantize, WhatCannotBeStoredIsRefused) {
  const BlockFormat format = *formats::parse_format("q4-asym-s8z8-g32");
  std::vector<std::uint32_t> memory(formats::layout_of(format, 1, 32)->bytes / 4);
  const auto writer = *formats::matrix_writer(format, 1, 32, std::as_writable_bytes(std::span(memory)));
  std::vector<float> values(32, 1.0F);
  values[3] = INFINITY;
  EXPECT_EQ(quantize_row(writer, 0, values).error().code, Code::kInvalidArgument);
  values[3] = NAN;
  EXPECT_EQ(quantize_row(writer, 0, values).error().code, Code::kInvalidArgument);
  values[3] = 1e8F;
  EXPECT_EQ(quantize_row(writer, 0, values).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace shoal::quantize
