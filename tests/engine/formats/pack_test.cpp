#include "engine/formats/pack.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "engine/core/f16.hpp"
#include "engine/formats/half.hpp"

namespace shoal::formats {
namespace {

struct Stored {
  std::vector<std::uint32_t> memory;
  MatrixWriter writer;

  Stored(std::string_view name, std::uint64_t n, std::uint64_t k) {
    const BlockFormat format = *parse_format(name);
    memory.resize(layout_of(format, n, k)->bytes / 4);
    writer = *matrix_writer(format, n, k, std::as_writable_bytes(std::span(memory)));
  }
  [[nodiscard]] BlockMatrix view() const { return {writer.format, writer.layout, writer.data}; }
};

std::vector<std::uint8_t> random_codes(std::uint64_t count, std::uint32_t bits, std::mt19937& random) {
  std::vector<std::uint8_t> codes(count);
  for (std::uint8_t& code : codes) {
    code = static_cast<std::uint8_t>(random() & ((1U << bits) - 1U));
  }
  return codes;
}

// Reads a code the way the grammar of block_format.hpp says it in words.
std::uint32_t code_by_grammar(const Stored& stored, std::uint64_t row, std::uint64_t element) {
  const auto word = [&](std::uint64_t column) {
    return stored.memory[(row / 16 * stored.writer.layout.columns + column) * 16 + row % 16];
  };
  const auto byte = [&](std::uint64_t column) { return word(column) >> (8 * (element % 4)) & 0xFFU; };
  const std::uint64_t field = element / 4;
  switch (stored.writer.format.codes) {
    case Codes::kQ8:
      return byte(field);
    case Codes::kQ4:
      return byte(field / 2) >> (4 * (field % 2)) & 15U;
    case Codes::kQ2:
      return byte(field / 4) >> (2 * (field % 4)) & 3U;
    default: {
      const std::uint64_t group = element / 16 % 2;
      const std::uint64_t i = field % 4;
      const std::uint64_t p = 4 * (i >> 1) + 2 * group + (i & 1);
      const std::uint64_t first = element / 32 * 3;
      return (byte(first + group) >> (2 * i) & 3U) | ((byte(first + 2) >> p & 1U) << 2);
    }
  }
}

TEST(Pack, CodesLieWhereTheGrammarSaysAndComeBack) {
  std::mt19937 random(3);
  for (const std::string_view name : {"q8-asym-s8z8-g16", "q4-asym-s8z8-g16", "q3-sym-f16-g16", "q2-asym-f16-g16"}) {
    for (const std::uint64_t k : {16U, 48U, 96U}) {
      Stored stored(name, 19, k);
      const std::uint32_t bits = code_bits(stored.writer.format.codes);
      std::vector<std::vector<std::uint8_t>> rows;
      for (std::uint64_t row = 0; row < 19; ++row) {
        rows.push_back(random_codes(k, bits, random));
        write_codes(stored.writer, row, rows.back());
      }
      for (std::uint64_t row = 0; row < 19; ++row) {
        std::vector<std::uint8_t> back(k);
        read_codes(stored.view(), row, 0, back);
        EXPECT_EQ(back, rows[row]) << name;
        for (std::uint64_t element = 0; element < k; ++element) {
          ASSERT_EQ(code_by_grammar(stored, row, element), rows[row][element]) << name << " " << row << " " << element;
        }
      }
    }
  }
}

// docs/formats.md has these bytes.
TEST(Pack, WorkedExamplesOfTheDocumentation) {
  Stored q4("q4-asym-s8z8-g16", 1, 16);
  std::vector<std::uint8_t> codes(16);
  std::iota(codes.begin(), codes.end(), std::uint8_t{0});
  write_codes(q4.writer, 0, codes);
  write_entry(q4.writer, 0, 0, 128, 120);
  write_row_scale(q4.writer, 0, f32_to_f16(0.5F));
  ASSERT_EQ(q4.memory.size() * 4, 768U);
  std::vector<std::uint32_t> expected(192);
  expected[0] = 0x73625140;
  expected[64 / 4] = 0xFBEAD9C8;
  expected[256 / 4] = 0x7880;
  expected[512 / 4] = 0x3800;
  EXPECT_EQ(q4.memory, expected);
  std::vector<float> values(16);
  dequantize_row(q4.view(), 0, values);
  EXPECT_EQ(values[0], -1.875F);
  EXPECT_EQ(values[15], 1.875F);

  Stored q3("q3-sym-s8z8-g32", 1, 32);
  codes.resize(32);
  for (std::size_t element = 0; element < 32; ++element) {
    codes[element] = static_cast<std::uint8_t>(element % 8);
  }
  write_codes(q3.writer, 0, codes);
  EXPECT_EQ(q3.memory[0], 0xFFAA5500U);
  EXPECT_EQ(q3.memory[16], 0xFFAA5500U);
  EXPECT_EQ(q3.memory[32], 0xAAAAAAAAU);
}

TEST(Pack, EveryBitOfAWordIsUsedOnce) {
  for (const std::string_view name : {"q8-sym-s8z8-g32", "q4-sym-s8z8-g32", "q3-sym-s8z8-g32", "q2-sym-s8z8-g32"}) {
    Stored stored(name, 16, 32);
    const std::uint32_t bits = code_bits(stored.writer.format.codes);
    const std::vector<std::uint8_t> full(32, static_cast<std::uint8_t>((1U << bits) - 1U));
    write_codes(stored.writer, 5, full);
    for (std::uint64_t column = 0; column < stored.writer.layout.columns; ++column) {
      for (std::uint64_t row = 0; row < 16; ++row) {
        EXPECT_EQ(stored.memory[column * 16 + row], row == 5 ? 0xFFFFFFFFU : 0U) << name;
      }
    }
  }
}

TEST(Pack, FloatsComeBack) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (const std::string_view name : {"f32", "f16"}) {
    Stored stored(name, 18, 37);
    for (std::uint64_t row = 0; row < 18; ++row) {
      std::vector<float> values(37);
      for (float& value : values) {
        value = normal(random);
      }
      ASSERT_TRUE(write_row(stored.writer, row, values));
      std::vector<float> back(37);
      dequantize_row(stored.view(), row, back);
      for (std::size_t index = 0; index < 37; ++index) {
        EXPECT_EQ(back[index], name == "f32" ? values[index] : f16_to_f32(f32_to_f16(values[index])));
      }
    }
  }
  Stored half("f16", 1, 2);
  EXPECT_EQ(write_row(half.writer, 0, std::vector<float>{1, 70000}).error().code, Code::kInvalidArgument);
}

// What an entry means, for each of the four kinds, with numbers that are exact.
TEST(Pack, ScalesMeanWhatTheGrammarSays) {
  const std::uint16_t two = f32_to_f16(2.0F);
  const std::uint16_t half = f32_to_f16(0.5F);
  struct Case {
    std::string_view format;
    std::uint16_t low, high;
    float at_0, at_3;
  };
  const Case cases[] = {
      {"q2-asym-s8z8-g16", 64, 96, 0.5F * (0 - 1.5F), 0.5F * (3 - 1.5F)},
      {"q3-asym-s8z8-g16", 128, 16, 1.0F * (0 - 0.5F), 1.0F * (3 - 0.5F)},
      {"q4-asym-s8z8-g16", 255, 40, 255.0F / 128 * (0 - 2.5F), 255.0F / 128 * (3 - 2.5F)},
      {"q8-asym-s8z8-g16", 128, 130, -130, -127},
      {"q4-sym-s8z8-g16", 128, 0, -8, -5},
      {"q4-sym-f16-g16", half, 0, -4, -2.5F},
      {"q4-asym-f16-g16", half, two, 2, 3.5F},
  };
  for (const Case& entry : cases) {
    Stored stored(entry.format, 17, 32);
    std::vector<std::uint8_t> codes(32, 0);
    codes[17] = 3;
    write_codes(stored.writer, 16, codes);
    write_entry(stored.writer, 16, 1, entry.low, entry.high);
    if (stored.writer.format.scales == ScaleEncoding::kS8Z8) {
      write_row_scale(stored.writer, 16, two);
    }
    std::vector<float> values(32);
    dequantize_row(stored.view(), 16, values);
    EXPECT_EQ(values[16], entry.at_0) << entry.format;
    EXPECT_EQ(values[17], entry.at_3) << entry.format;
    EXPECT_EQ(values[0], 0.0F) << entry.format << ": another block";
  }
}

}  // namespace
}  // namespace shoal::formats
