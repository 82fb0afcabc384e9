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

// No neighbour is nearer, and of two that are equally near the even one is taken; from 65520 on it is infinity.
void expect_nearest(float value) {
  const std::uint16_t half = f32_to_f16(value);
  const double exact = static_cast<double>(value);
  if (std::fabs(exact) >= 65520) {
    EXPECT_EQ(half, value > 0 ? 0x7C00 : 0xFC00) << value;
    return;
  }
  ASSERT_LT(half & 0x7FFF, 0x7C00) << value;
  const double distance = std::fabs(static_cast<double>(f16_to_f32(half)) - exact);
  for (const int step : {-1, 1}) {
    const int other = (half & 0x7FFF) + step;
    if (other < 0 || other >= 0x7C00) {
      continue;
    }
    const auto neighbour = static_cast<std::uint16_t>((half & 0x8000) | other);
    const double other_distance = std::fabs(static_cast<double>(f16_to_f32(neighbour)) - exact);
    EXPECT_TRUE(distance < other_distance || (distance == other_distance && half % 2 == 0)) << value;
  }
}

TEST(Half, RoundsToTheNearest) {
  std::mt19937 random(7);
  for (int round = 0; round < 50000; ++round) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isnan(value)) {
      expect_nearest(value);
    }
    // And where binary16 has its values, halfway cases among them.
    const float half = f16_to_f32(static_cast<std::uint16_t>(random() & 0x7BFFU));
    expect_nearest(half * (1.0F + 0x1p-12F * static_cast<float>(random() % 9)));
  }
}

}  // namespace
}  // namespace shoal::formats
