// The linear kernels at the shapes of real models (a chat model of 135 million weights, a small encoder) against the
// scalar reference, for the numbers of rows that decoding, batched decoding and prefill have.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "engine/formats/pack.hpp"
#include "engine/kernels/linear.hpp"

namespace shoal::kernels {
namespace {

struct Shape {
  std::size_t n, k;
};
constexpr Shape kShapes[] = {{1536, 576}, {576, 1536}, {1536, 384}, {384, 1536}};
constexpr Shape kHead = {49152, 576};

// Random codes; scales, row scales, halves and floats that are finite.
std::vector<std::uint32_t> random_matrix(const formats::BlockFormat& format, const formats::BlockLayout& layout) {
  std::mt19937 random(5);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(layout.bytes / 4));
  for (std::size_t word = 0; word < words.size(); ++word) {
    const auto bits = static_cast<std::uint32_t>(random());
    words[word] = format.codes == formats::Codes::kF32   ? (bits & 0x807FFFFFU) | 0x3F000000U
                  : format.codes == formats::Codes::kF16 ? (bits & 0x83FF83FFU) | 0x38003800U
                  : word * 4 < layout.scales_offset      ? bits
                                                         : (bits & 0x03FF03FFU) | 0x34003400U;
  }
  return words;
}

struct Rows {
  std::vector<float> x;
  std::vector<float> memory;
  Int8Rows int8;

  Rows(std::size_t rows, std::size_t k) : x(rows * k), memory(int8_rows_bytes(rows, k) / 4) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    for (float& value : x) {
      value = normal(random);
    }
    int8 = int8_rows_at(std::as_writable_bytes(std::span(memory)).data(), rows, k);
    quantize_rows(x.data(), k, int8, 0, rows);
  }
};

// Outputs [begin, end) of every row.
std::vector<float> outputs(const formats::BlockMatrix& matrix, const Rows& input, std::size_t begin, std::size_t end,
                           Tier tier) {
  const auto n = static_cast<std::size_t>(matrix.layout.n);
  const std::size_t rows = input.int8.rows;
  std::vector<float> y(rows * n, NAN);
  linear({.weight = matrix,
          .x = input.x.data(),
          .x_stride = static_cast<std::size_t>(matrix.layout.k),
          .rows = rows,
          .int8 = prefers_int8(matrix.format) ? &input.int8 : nullptr,
          .y = y.data(),
          .y_stride = n,
          .n_begin = begin,
          .n_end = end},
         tier);
  std::vector<float> kept;
  for (std::size_t row = 0; row < rows; ++row) {
    kept.insert(kept.end(), y.begin() + static_cast<std::ptrdiff_t>(row * n + begin),
                y.begin() + static_cast<std::ptrdiff_t>(row * n + end));
  }
  return kept;
}

void expect_as_reference(std::string_view name, const Shape& shape, std::span<const std::size_t> row_counts,
                         std::span<const std::size_t> begins, std::size_t count) {
  const formats::BlockFormat format = *formats::parse_format(name);
  const auto layout = *formats::layout_of(format, shape.n, shape.k);
  const std::vector<std::uint32_t> memory = random_matrix(format, layout);
  const formats::BlockMatrix matrix = *formats::matrix_view(format, shape.n, shape.k, std::as_bytes(std::span(memory)));
  for (const std::size_t rows : row_counts) {
    const Rows input(rows, shape.k);
    for (const std::size_t begin : begins) {
      const auto expected = outputs(matrix, input, begin, begin + count, Tier::kScalar);
      for (const Tier tier : running_tiers()) {
        const auto y = outputs(matrix, input, begin, begin + count, tier);
        if (prefers_int8(format)) {
          EXPECT_EQ(y, expected) << name << " " << tier_name(tier) << " n " << shape.n << " k " << shape.k << " rows "
                                 << rows << " from " << begin;
          continue;
        }
        // Weights are below 1 and activations below 6: the bound of linear.hpp.
        const double bound = 0x1p-22 * static_cast<double>(32 + shape.k / 32) * 6 * static_cast<double>(shape.k);
        for (std::size_t at = 0; at < y.size(); ++at) {
          ASSERT_NEAR(y[at], expected[at], bound) << name << " " << tier_name(tier) << " rows " << rows;
        }
      }
    }
  }
}

TEST(LinearAtRealShapes, EveryWidthIsAsTheScalarReference) {
  constexpr std::size_t kRows[] = {1, 2, 3, 4, 6, 8, 16, 33};
  for (const char* name : {"f32", "f16", "q8-asym-s8z8-g32", "q8-sym-f16-g32", "q4-asym-s8z8-g32", "q4-asym-f16-g32",
                           "q4-sym-f16-g32", "q3-asym-s8z8-g32", "q2-asym-s8z8-g32"}) {
    for (const Shape& shape : kShapes) {
      // The first and the last tiles.
      const std::size_t begins[] = {0, shape.n - 48};
      expect_as_reference(name, shape, kRows, begins, 48);
    }
  }
}

TEST(LinearAtRealShapes, AHeadOf49152OutputsIsAsTheScalarReference) {
  constexpr std::size_t kRows[] = {1, 2, 8};
  constexpr std::size_t kBegins[] = {0, 24592, 49152 - 32};
  for (const char* name :
       {"q8-asym-s8z8-g32", "q8-sym-f16-g32", "q4-asym-s8z8-g32", "q3-asym-s8z8-g32", "q2-asym-s8z8-g32"}) {
    expect_as_reference(name, kHead, kRows, kBegins, 32);
  }
}

}  // namespace
}  // namespace shoal::kernels
