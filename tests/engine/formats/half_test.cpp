#include "engine/formats/half.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "engine/core/f16.hpp"

namespace shoal::formats {
namespace {

TEST(Half, EveryHalfComesBack) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value)))) << bits;
    } else {
      EXPECT_EQ(f32_to_f16(value), half) << bits;
    }
  }
}

TEST(Half, RoundsAsTheCompilerDoes) {
  std::mt19937 random(7);
  for (int round = 0; round < 300000; ++round) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isnan(value)) {
      EXPECT_EQ(f32_to_f16(value), std::bit_cast<std::uint16_t>(static_cast<_Float16>(value))) << value;
    }
    // And where binary16 has its values, halfway cases among them.
    const float near = f16_to_f32(static_cast<std::uint16_t>(random() & 0x7BFFU)) *
                       (1.0F + 0x1p-12F * static_cast<float>(random() % 9));
    EXPECT_EQ(f32_to_f16(near), std::bit_cast<std::uint16_t>(static_cast<_Float16>(near))) << near;
  }
}

}  // namespace
}  // namespace shoal::formats
