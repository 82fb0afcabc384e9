#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "engine/core/bytes.hpp"
#include "engine/core/f16.hpp"
#include "engine/core/result.hpp"

namespace shoal {
namespace {

TEST(Bytes, LoadRefusesWhatDoesNotFit) {
  const std::array<std::byte, 5> data = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}};
  EXPECT_EQ(load_le<std::uint32_t>(data, 1), 0x05040302U);
  EXPECT_FALSE(load_le<std::uint32_t>(data, 2));
  EXPECT_FALSE(load_le<std::uint32_t>(data, std::numeric_limits<std::size_t>::max()));
}

TEST(Bytes, SliceIsSafeForHugeNumbers) {
  const std::array<std::byte, 4> data{};
  EXPECT_EQ(slice(data, 1, 3)->size(), 3U);
  EXPECT_EQ(slice(data, 4, 0)->size(), 0U);
  EXPECT_FALSE(slice(data, 5, 0));
  EXPECT_FALSE(slice(data, 1, std::numeric_limits<std::uint64_t>::max()));
  EXPECT_FALSE(slice(data, std::numeric_limits<std::uint64_t>::max(), 2));
}

TEST(F16, MatchesTheCompilersHalfForEveryBitPattern) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto half = std::bit_cast<_Float16>(static_cast<std::uint16_t>(bits));
    const auto expected = static_cast<float>(half);
    const float actual = f16_to_f32(static_cast<std::uint16_t>(bits));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(actual)) << bits;
    } else {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(expected), std::bit_cast<std::uint32_t>(actual)) << bits;
    }
  }
}

TEST(F16, Bf16IsTheUpperHalf) {
  EXPECT_EQ(bf16_to_f32(0x3F80), 1.0F);
  EXPECT_EQ(bf16_to_f32(0xC040), -3.0F);
}

TEST(Result, ErrorKeepsItsCodeAndGainsContext) {
  const Error error = Error{Code::kNotFound, "no such shard", "shard"}.with("while loading shard 3");
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(error.message, "while loading shard 3: no such shard");
  EXPECT_EQ(code_name(error.code), "NOT_FOUND");
}

}  // namespace
}  // namespace shoal
