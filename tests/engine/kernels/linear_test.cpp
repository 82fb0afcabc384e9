#include "engine/kernels/linear.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "engine/formats/pack.hpp"

namespace shoal::kernels {
namespace {

using formats::BlockFormat;
using formats::BlockMatrix;

// A random matrix with every code and every scale entry in use.
struct Weights {
  std::vector<std::uint32_t> memory;
  BlockMatrix matrix;

  Weights(std::string_view name, std::uint64_t n, std::uint64_t k, std::uint32_t seed = 11) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    const BlockFormat format = *formats::parse_format(name);
    memory.resize(formats::layout_of(format, n, k)->bytes / 4);
    const auto writer = *formats::matrix_writer(format, n, k, std::as_writable_bytes(std::span(memory)));
    for (std::uint64_t row = 0; row < n; ++row) {
      if (!formats::is_quantized(format.codes)) {
        std::vector<float> values(k);
        for (float& value : values) {
          value = normal(random);
        }
        EXPECT_TRUE(formats::write_row(writer, row, values));
        continue;
      }
      std::vector<std::uint8_t> codes(k);
      for (std::uint8_t& code : codes) {
        code = static_cast<std::uint8_t>(random() & ((1U << formats::code_bits(format.codes)) - 1U));
      }
      formats::write_codes(writer, row, codes);
      const bool is_half = format.scales == formats::ScaleEncoding::kF16;
      for (std::uint64_t block = 0; block < writer.layout.blocks; ++block) {
        const auto entry = static_cast<std::uint32_t>(random());
        // Halves from 0.25 to 1.25, either sign.
        formats::write_entry(
            writer, row, block, static_cast<std::uint16_t>(is_half ? 0x3400U + (entry & 0x87FFU) : entry & 0xFFU),
            static_cast<std::uint16_t>(is_half ? 0x3400U + (entry >> 16 & 0x87FFU) : entry >> 8 & 0xFFU));
      }
      if (!is_half) {
        formats::write_row_scale(writer, row, static_cast<std::uint16_t>(0x3400U + (random() & 0x7FFU)));
      }
    }
    matrix = BlockMatrix{format, writer.layout, writer.data};
  }
};

std::vector<float> random_floats(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) {
    value = normal(random);
  }
  return values;
}

struct Input {
  std::vector<float> x;
  std::vector<float> memory;
  Int8Rows int8;

  Input(std::size_t rows, std::size_t k) : x(random_floats(rows * k, 23)), memory(int8_rows_bytes(rows, k) / 4) {
    int8 = int8_rows_at(std::as_writable_bytes(std::span(memory)).data(), rows, k);
    quantize_rows(x.data(), k, int8, 0, rows);
  }
};

std::vector<float> run_linear(const BlockMatrix& matrix, const Input& input, std::size_t rows, bool use_int8, Tier tier,
                              const float* bias = nullptr) {
  const auto n = static_cast<std::size_t>(matrix.layout.n);
  std::vector<float> y(rows * n, NAN);
  linear({.weight = matrix,
          .x = input.x.data(),
          .x_stride = static_cast<std::size_t>(matrix.layout.k),
          .rows = rows,
          .int8 = use_int8 ? &input.int8 : nullptr,
          .bias = bias,
          .y = y.data(),
          .y_stride = n,
          .n_begin = 0,
          .n_end = n},
         tier);
  return y;
}

// max over i of |a - b| / sum |w x|, the scale that the header states its bound in.
double relative_error(const BlockMatrix& matrix, const Input& input, const std::vector<float>& a,
                      const std::vector<double>& exact, std::size_t rows) {
  double worst = 0;
  std::vector<float> row_values(matrix.layout.k);
  for (std::uint64_t n = 0; n < matrix.layout.n; ++n) {
    formats::dequantize_row(matrix, n, row_values);
    for (std::size_t row = 0; row < rows; ++row) {
      double magnitude = 0;
      for (std::uint64_t element = 0; element < matrix.layout.k; ++element) {
        magnitude += std::fabs(static_cast<double>(row_values[element]) *
                               static_cast<double>(input.x[row * matrix.layout.k + element]));
      }
      const std::size_t at = row * matrix.layout.n + n;
      worst = std::max(worst, std::fabs(static_cast<double>(a[at]) - exact[at]) / magnitude);
    }
  }
  return worst;
}

std::vector<double> exact_linear(const BlockMatrix& matrix, const Input& input, std::size_t rows) {
  std::vector<double> y(rows * matrix.layout.n);
  std::vector<float> row_values(matrix.layout.k);
  for (std::uint64_t n = 0; n < matrix.layout.n; ++n) {
    formats::dequantize_row(matrix, n, row_values);
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::uint64_t element = 0; element < matrix.layout.k; ++element) {
        y[row * matrix.layout.n + n] +=
            static_cast<double>(row_values[element]) * static_cast<double>(input.x[row * matrix.layout.k + element]);
      }
    }
  }
  return y;
}

const std::vector<std::string_view> kFormats = {"f32",
                                                "f16",
                                                "q8-asym-s8z8-g32",
                                                "q8-sym-f16-g32",
                                                "q8-sym-s8z8-g16",
                                                "q4-asym-s8z8-g32",
                                                "q4-asym-f16-g32",
                                                "q4-sym-f16-g32",
                                                "q4-asym-s8z8-g16",
                                                "q4-asym-s8z8-g64",
                                                "q3-asym-s8z8-g32",
                                                "q3-asym-s8z8-g16",
                                                "q3-sym-s8z8-g128",
                                                "q2-asym-s8z8-g32",
                                                "q2-asym-s8z8-g16",
                                                "q2-asym-f16-g128",
                                                "q2-sym-f16-g64"};

struct Shape {
  std::uint64_t n, k;
};

std::vector<Shape> shapes_for(std::string_view format) {
  std::vector<Shape> shapes = {{16, 128}, {40, 384}, {5, 128}};
  if (format.ends_with("g16")) {
    shapes.push_back({33, 48});
  }
  if (format.starts_with("f")) {
    shapes.push_back({19, 37});
    shapes.push_back({1, 1});
  }
  return shapes;
}

TEST(Linear, F32ActivationsAreWithinTheStatedBoundOfExactSums) {
  for (const std::string_view name : kFormats) {
    for (const Shape& shape : shapes_for(name)) {
      const Weights weights(name, shape.n, shape.k);
      const Input input(3, shape.k);
      const auto exact = exact_linear(weights.matrix, input, 3);
      for (const Tier tier : running_tiers()) {
        const auto y = run_linear(weights.matrix, input, 3, false, tier);
        EXPECT_LE(relative_error(weights.matrix, input, y, exact, 3), 0x1p-23 * static_cast<double>(32 + shape.k / 32))
            << name << " " << tier_name(tier) << " n " << shape.n << " k " << shape.k;
      }
    }
  }
}

TEST(Linear, Int8ActivationsGiveTheSameBitsOnEveryTier) {
  for (const std::string_view name : kFormats) {
    if (name.starts_with("f")) {
      continue;
    }
    for (const Shape& shape : shapes_for(name)) {
      const Weights weights(name, shape.n, shape.k);
      const Input input(5, shape.k);
      const auto expected = run_linear(weights.matrix, input, 5, true, Tier::kScalar);
      for (const Tier tier : running_tiers()) {
        EXPECT_EQ(run_linear(weights.matrix, input, 5, true, tier), expected)
            << name << " " << tier_name(tier) << " n " << shape.n << " k " << shape.k;
      }
    }
  }
}

// The int8 result is the exact product of the dequantised weights and the dequantised activations, up to rounding.
TEST(Linear, Int8ReferenceIsTheProductOfWhatIsStored) {
  for (const std::string_view name : kFormats) {
    if (name.starts_with("f")) {
      continue;
    }
    const Weights weights(name, 16, 128);
    Input input(2, 128);
    const auto y = run_linear(weights.matrix, input, 2, true, Tier::kScalar);
    for (std::size_t index = 0; index < input.x.size(); ++index) {
      const std::size_t place = input.int8.place(index / 128, index % 128 / 32);
      input.x[index] = static_cast<float>(input.int8.codes[place * 32 + index % 32]) * input.int8.scales[place];
    }
    EXPECT_LE(relative_error(weights.matrix, input, y, exact_linear(weights.matrix, input, 2), 2), 2e-5) << name;
  }
}

TEST(Linear, ARowDoesNotDependOnItsNeighboursNorOnTheSplit) {
  const std::size_t rows = 71;
  for (const std::string_view name : kFormats) {
    const Weights weights(name, 40, 128);
    const Input input(rows, 128);
    const std::vector<float> bias = random_floats(40, 29);
    for (const Tier tier : running_tiers()) {
      for (const bool use_int8 : {false, true}) {
        if (use_int8 && name.starts_with("f")) {
          continue;
        }
        const auto whole = run_linear(weights.matrix, input, rows, use_int8, tier, bias.data());
        std::vector<float> parts(rows * 40, NAN);
        // One row at a time, five, then the rest; outputs split at 16 and 32.
        for (const auto& [first, count] : {std::pair<std::size_t, std::size_t>{0, 1}, {1, 5}, {6, rows - 6}}) {
          std::vector<float> memory(int8_rows_bytes(count, 128) / 4);
          const Int8Rows part = int8_rows_at(std::as_writable_bytes(std::span(memory)).data(), count, 128);
          quantize_rows(input.x.data() + first * 128, 128, part, 0, count);
          for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>{0, 16}, {16, 32}, {32, 40}}) {
            linear({.weight = weights.matrix,
                    .x = input.x.data() + first * 128,
                    .x_stride = 128,
                    .rows = count,
                    .int8 = use_int8 ? &part : nullptr,
                    .bias = bias.data(),
                    .y = parts.data() + first * 40,
                    .y_stride = 40,
                    .n_begin = begin,
                    .n_end = end},
                   tier);
          }
        }
        EXPECT_EQ(parts, whole) << name << " " << tier_name(tier) << (use_int8 ? " int8" : " f32");
      }
    }
  }
}

// One number for natively built code, WASM and every tier: integers make the input, so that no library's random
// numbers are in it.
TEST(Linear, Int8ResultsAreTheSameBitsOnEveryMachine) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::string_view name : {"q8-sym-f16-g32", "q4-asym-s8z8-g32", "q3-asym-s8z8-g16", "q2-asym-f16-g64"}) {
    const BlockFormat format = *formats::parse_format(name);
    std::vector<std::uint32_t> memory(static_cast<std::size_t>(formats::layout_of(format, 32, 192)->bytes / 4));
    std::uint32_t state = 1;
    for (std::uint32_t& word : memory) {
      state = state * 1664525U + 1013904223U;
      word = state & 0xBBFFBBFFU;  // every half in it is finite
    }
    std::vector<float> x(3 * 192);
    for (float& value : x) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<float>(static_cast<std::int32_t>(state >> 16) - 32768) / 4096.0F;
    }
    Input input(3, 192);
    quantize_rows(x.data(), 192, input.int8, 0, 3);
    const BlockMatrix matrix = *formats::matrix_view(format, 32, 192, std::as_bytes(std::span(memory)));
    const auto y = run_linear(matrix, input, 3, true, best_tier());
    for (const float value : y) {
      hash = (hash ^ std::bit_cast<std::uint32_t>(value)) * 0x100000001b3U;
    }
  }
  EXPECT_EQ(hash, 1774711643815604770U);
}

TEST(Linear, BiasIsAddedLast) {
  const Weights weights("q4-asym-s8z8-g32", 20, 64);
  const Input input(2, 64);
  const std::vector<float> bias = random_floats(20, 31);
  for (const Tier tier : running_tiers()) {
    const auto plain = run_linear(weights.matrix, input, 2, true, tier);
    const auto with_bias = run_linear(weights.matrix, input, 2, true, tier, bias.data());
    for (std::size_t index = 0; index < plain.size(); ++index) {
      EXPECT_EQ(with_bias[index], plain[index] + bias[index % 20]);
    }
  }
}

}  // namespace
}  // namespace shoal::kernels
