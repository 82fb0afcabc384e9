// Keys and values of few bits: what is stored, and attention over it.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "engine/core/f16.hpp"
#include "engine/kernels/kv_attention.hpp"
#include "engine/kernels/kv_format.hpp"

namespace shoal::kernels {
namespace {

std::vector<float> random_floats(std::size_t count, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> out(count);
  for (float& value : out) {
    value = normal(random);
  }
  return out;
}

std::vector<std::uint8_t> stored(const KvFormat& format, const std::vector<float>& rows) {
  const std::size_t columns = std::size_t{format.heads} * format.width;
  std::vector<std::uint8_t> out(rows.size() / columns * format.row_bytes());
  for (std::size_t row = 0; row * columns < rows.size(); ++row) {
    store_row(format, rows.data() + row * columns, out.data() + row * format.row_bytes());
  }
  return out;
}

TEST(KvFormat, BytesOfAPositionAreCodesAndTheirScales) {
  const auto bytes = [](std::uint32_t bits, std::uint32_t width) {
    return KvFormat::make(bits, 3, width)->row_bytes();
  };
  EXPECT_EQ(bytes(32, 64), 3U * 256);
  EXPECT_EQ(bytes(16, 64), 3U * 128);
  EXPECT_EQ(bytes(8, 64), 3U * 68);
  EXPECT_EQ(bytes(4, 64), 3U * 36);
  EXPECT_EQ(bytes(2, 64), 3U * 2 * 12);
  EXPECT_EQ(bytes(4, 128), 3U * 2 * 36);
  EXPECT_EQ(bytes(8, 96), 3U * 2 * 52);  // two groups of 48
  EXPECT_EQ(bytes(2, 8), 3U * 6);
  EXPECT_EQ(KvFormat::make(3, 1, 64).error().code, Code::kInvalidArgument);
  EXPECT_EQ(KvFormat::make(2, 1, 6).error().code, Code::kPrecisionNotSupported);
  EXPECT_EQ(KvFormat::make(8, 1, 1024).error().code, Code::kPrecisionNotSupported);
}

// Bit by bit: scale and least value are binary16, codes lie where the header says.
TEST(KvFormat, PacksAsItIsDocumented) {
  const auto format = *KvFormat::make(4, 1, 6);  // not turned: no power of two
  const std::vector<float> row = {0, 15, 3, 7, 1, 15};
  const auto bytes = stored(format, row);
  EXPECT_EQ(bytes, (std::vector<std::uint8_t>{0x00, 0x3C, 0x00, 0x00, 0x70, 0x1F, 0xF3}));
  const auto two = *KvFormat::make(2, 1, 12);
  const auto packed = stored(two, {-1, 0, 1, 2, -1, 0, 1, 2, 2, 2, 0, -1});
  EXPECT_EQ(packed, (std::vector<std::uint8_t>{0x00, 0x3C, 0x00, 0xBC, 0b11'10'11'00, 0b01'11'00'01, 0b00'11'01'10}));
}

TEST(KvFormat, NumbersComeBackWithinHalfAStep) {
  for (const std::uint32_t bits : {32U, 16U, 8U, 4U, 2U}) {
    for (const std::uint32_t width : {8U, 20U, 64U, 96U, 128U}) {
      const auto format = *KvFormat::make(bits, 2, width);
      auto rows = random_floats(std::size_t{2} * width * 5, bits + width, 3);
      rows[width + 1] = 250;  // a large column, as keys have
      const auto bytes = stored(format, rows);
      std::vector<float> head(width);
      for (std::size_t index = 0; index < 10; ++index) {
        load_head(format, bytes.data() + index * format.head_bytes(), head.data());
        std::vector<float> expected(rows.begin() + static_cast<std::ptrdiff_t>(index * width),
                                    rows.begin() + static_cast<std::ptrdiff_t>((index + 1) * width));
        if (format.is_turned()) {
          turn(expected.data(), width);
        }
        const std::size_t group = format.is_quantized() ? format.group() : width;
        for (std::size_t first = 0; first < width; first += group) {
          const auto [least, most] = std::minmax_element(expected.begin() + static_cast<std::ptrdiff_t>(first),
                                                         expected.begin() + static_cast<std::ptrdiff_t>(first + group));
          const float top = std::max(std::abs(*least), std::abs(*most));
          const float step = (*most - *least) / static_cast<float>((1U << std::min(bits, 8U)) - 1);
          const float bound = bits == 32 ? 0 : bits == 16 ? top * 0x1p-11F : step * 0.5F + top * 0x1p-9F;
          for (std::size_t column = first; column < first + group; ++column) {
            ASSERT_NEAR(head[column], expected[column], bound) << bits << " bits, width " << width;
          }
        }
      }
    }
  }
}

TEST(KvFormat, ConstantAndHugeRowsAreHeld) {
  const auto format = *KvFormat::make(4, 1, 64);
  for (const float value : {0.0F, 1e-9F, -3.0F, 1e9F}) {
    const auto bytes = stored(format, std::vector<float>(64, value));
    std::vector<float> head(64);
    load_head(format, bytes.data(), head.data());
    turn(head.data(), 64);
    for (const float one : head) {
      ASSERT_TRUE(std::isfinite(one));
      if (std::abs(value) < 1000) {
        ASSERT_NEAR(one, value, std::abs(value) * 0.05F + 1e-6F);
      }
    }
  }
}

TEST(KvFormat, TurningTwiceIsNothing) {
  auto numbers = random_floats(128, 3);
  const auto before = numbers;
  turn(numbers.data(), numbers.size());
  EXPECT_NE(numbers, before);
  float length = 0;
  for (const float one : numbers) {
    length += one * one;
  }
  turn(numbers.data(), numbers.size());
  float expected = 0;
  for (std::size_t index = 0; index < numbers.size(); ++index) {
    EXPECT_NEAR(numbers[index], before[index], 1e-5F);
    expected += before[index] * before[index];
  }
  EXPECT_NEAR(length, expected, expected * 1e-5F);
}

struct Problem {
  std::size_t tokens, keys, width, heads, first_position, window;
  bool is_causal;
};

// By its definition, in double precision, over what is stored.
std::vector<double> by_definition(const Problem& p, const std::vector<float>& q, const KvRows& k, const KvRows& v,
                                  float scale, const std::vector<ScoreBias>& biases) {
  const auto numbers = [&](const KvRows& rows, std::size_t key) {
    std::vector<float> out(p.width);
    load_head(rows.format, rows.row(key), out.data());
    if (rows.format.is_turned()) {
      turn(out.data(), p.width);
    }
    return out;
  };
  std::vector<double> out(p.tokens * p.heads * p.width);
  for (std::size_t token = 0; token < p.tokens; ++token) {
    for (std::size_t head = 0; head < p.heads; ++head) {
      const std::size_t position = p.first_position + token;
      std::vector<double> weights(p.keys);
      double sum = 0;
      for (std::size_t key = 0; key < p.keys; ++key) {
        const bool is_seen = !p.is_causal || (key <= position && (p.window == 0 || key + p.window > position));
        const auto numbers_of_key = numbers(k, key);
        double score = 0;
        for (std::size_t column = 0; column < p.width; ++column) {
          score += double{q[(token * p.heads + head) * p.width + column]} * double{numbers_of_key[column]};
        }
        weights[key] =
            is_seen ? std::exp(score * double{scale} + double{biases[head].slope} * static_cast<double>(key)) : 0;
        sum += weights[key];
      }
      for (std::size_t key = 0; key < p.keys; ++key) {
        const auto numbers_of_value = numbers(v, key);
        for (std::size_t column = 0; column < p.width; ++column) {
          out[(token * p.heads + head) * p.width + column] += weights[key] / sum * double{numbers_of_value[column]};
        }
      }
    }
  }
  return out;
}

TEST(KvAttention, IsTheDefinitionAndTokensDoNotMatterToEachOther) {
  const Problem problems[] = {
      {1, 1, 64, 3, 0, 0, true},     {5, 5, 64, 3, 0, 0, true},     {1, 133, 64, 3, 132, 0, true},
      {7, 140, 64, 7, 133, 0, true}, {33, 70, 128, 4, 37, 0, true}, {9, 80, 96, 2, 71, 16, true},
      {3, 41, 8, 1, 0, 0, false},    {40, 40, 20, 2, 0, 7, true},
  };
  for (const Problem& p : problems) {
    for (const auto& [key_bits, value_bits] :
         {std::pair(16U, 16U), {8U, 8U}, {8U, 4U}, {4U, 4U}, {2U, 2U}, {32U, 8U}}) {
      const auto key_format = *KvFormat::make(key_bits, 2, static_cast<std::uint32_t>(p.width));
      const auto value_format = *KvFormat::make(value_bits, 2, static_cast<std::uint32_t>(p.width));
      const auto q = random_floats(p.tokens * p.heads * p.width, 1);
      const auto keys = stored(key_format, random_floats(p.keys * 2 * p.width, 2));
      const auto values = stored(value_format, random_floats(p.keys * 2 * p.width, 3));
      const float scale = 1 / std::sqrt(static_cast<float>(p.width));
      std::vector<ScoreBias> biases(p.heads);
      biases.back().slope = 0.01F;
      const std::size_t columns = p.heads * p.width;
      std::vector<float> scratch(kv_attention_scratch(p.keys, p.width));
      std::vector<float> y(p.tokens * columns);
      const auto call = [&](std::size_t first, std::size_t count) {
        const std::size_t seen = p.is_causal ? p.first_position + first + count : p.keys;
        KvAttentionCall out{.q = {q.data() + first * columns, count, columns, columns},
                            .heads = p.heads,
                            .k = {keys.data() + key_format.head_bytes(), seen, key_format},
                            .v = {values.data() + value_format.head_bytes(), seen, value_format},
                            .scale = scale,
                            .is_causal = p.is_causal,
                            .first_position = p.first_position + first,
                            .window = p.window,
                            .biases = biases.data(),
                            .y = {y.data() + first * columns, count, columns, columns},
                            .scratch = scratch.data()};
        return out;
      };
      kv_attention(call(0, p.tokens));
      const auto whole = y;
      const auto all = call(0, p.tokens);
      const auto expected = by_definition(p, q, all.k, all.v, scale, biases);
      for (std::size_t index = 0; index < whole.size(); ++index) {
        ASSERT_NEAR(whole[index], expected[index], 2e-4) << key_bits << "/" << value_bits << " at " << index;
      }
      std::fill(y.begin(), y.end(), -1.0F);
      for (std::size_t first = 0; first < p.tokens; first += 3) {
        kv_attention(call(first, std::min<std::size_t>(3, p.tokens - first)));
      }
      EXPECT_EQ(y, whole) << "in chunks";
    }
  }
}

}  // namespace
}  // namespace shoal::kernels
