#include "engine/formats/block_format.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace shoal::formats {
namespace {

TEST(BlockFormat, NamesAreReadBack) {
  for (const std::string_view name :
       {"f32", "f16", "q4-asym-s8z8-g32", "q8-sym-f16-g64", "q3-asym-f16-g256", "q2-sym-s8z8-g16"}) {
    const auto format = parse_format(name);
    ASSERT_TRUE(format) << name;
    EXPECT_EQ(format_name(*format), name);
  }
  for (const std::string_view name :
       {"", "q5", "q4", "f32-g32", "q4-asym-s8z8", "q4-asym-s8z8-g48", "q4-asym-s8z8-g8", "q4-asym-s8z8-g512",
        "q4-asym-s8z8-g32x", "q4-asym-s8z8-g99999999", "q4-odd-s8z8-g32", "q4-asym-s9-g32", "Q4-asym-s8z8-g32"}) {
    EXPECT_FALSE(parse_format(name)) << name;
  }
}

TEST(BlockFormat, EffectiveBlockIsTheLargestThatDivides) {
  EXPECT_EQ(*effective_block(256, 576), 64);
  EXPECT_EQ(*effective_block(32, 576), 32);
  EXPECT_EQ(*effective_block(128, 1536), 128);
  EXPECT_EQ(*effective_block(256, 48), 16);
  EXPECT_EQ(effective_block(32, 24).error().code, Code::kPrecisionNotSupported);
  EXPECT_EQ(effective_block(48, 576).error().code, Code::kInvalidArgument);
  EXPECT_EQ(effective_block(8, 576).error().code, Code::kInvalidArgument);
  EXPECT_EQ(effective_block(512, 1024).error().code, Code::kInvalidArgument);
}

TEST(BlockFormat, BitsThatDoNotExistAreRefused) {
  EXPECT_EQ(*codes_of_bits(3), Codes::kQ3);
  EXPECT_EQ(codes_of_bits(5).error().code, Code::kPrecisionNotSupported);
}

// Sizes of the shapes of a 135M language model, counted by hand from the grammar.
TEST(BlockFormat, SizesFollowTheGrammar) {
  struct Case {
    std::string_view format;
    std::uint64_t n, k, columns, scales_offset, row_scales_offset, bytes;
  };
  const std::array cases = {
      Case{"f32", 3, 5, 5, 512, 512, 512},
      Case{"f16", 16, 576, 288, 18432, 18432, 18432},
      Case{"q8-sym-f16-g64", 16, 576, 144, 9216, 9728, 9728},
      Case{"q4-asym-s8z8-g32", 576, 1536, 192, 442368, 442368 + 55296, 442368 + 55296 + 1280},
      Case{"q3-asym-s8z8-g32", 576, 1536, 144, 331776, 331776 + 55296, 331776 + 55296 + 1280},
      Case{"q2-asym-f16-g16", 16, 48, 4, 256, 512, 512},
  };
  for (const Case& expected : cases) {
    const auto layout = layout_of(*parse_format(expected.format), expected.n, expected.k);
    ASSERT_TRUE(layout) << expected.format;
    EXPECT_EQ(layout->columns, expected.columns) << expected.format;
    EXPECT_EQ(layout->scales_offset, expected.scales_offset) << expected.format;
    EXPECT_EQ(layout->row_scales_offset, expected.row_scales_offset) << expected.format;
    EXPECT_EQ(layout->bytes, expected.bytes) << expected.format;
  }
}

TEST(BlockFormat, ViewsCheckTheirBytes) {
  const BlockFormat format = *parse_format("q4-asym-s8z8-g32");
  const auto layout = layout_of(format, 16, 32);
  ASSERT_TRUE(layout);
  std::vector<std::uint32_t> memory(layout->bytes / 4 + 1);
  const Bytes bytes = std::as_bytes(std::span(memory)).first(layout->bytes);
  EXPECT_TRUE(matrix_view(format, 16, 32, bytes));
  EXPECT_FALSE(matrix_view(format, 16, 32, bytes.first(layout->bytes - 1)));
  EXPECT_FALSE(matrix_view(format, 17, 32, bytes));
  EXPECT_FALSE(matrix_view(format, 16, 48, bytes)) << "the block does not divide 48";
  EXPECT_FALSE(matrix_view(format, 16, 32, std::as_bytes(std::span(memory)).subspan(1, layout->bytes)));
  EXPECT_FALSE(layout_of(format, 0, 32));
  EXPECT_FALSE(layout_of(format, std::uint64_t{1} << 40, 32));
  EXPECT_FALSE(layout_of(format, ~std::uint64_t{0}, ~std::uint64_t{0}));
}

}  // namespace
}  // namespace shoal::formats
