#include "engine/quantize/block_fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace shoal::quantize {
namespace {

std::vector<float> normal_values(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) {
    value = normal(random);
  }
  return values;
}

double direct_error(const WeightedBlock& block, const Grid& grid, const float* codes) {
  double error = 0;
  for (std::size_t index = 0; index < block.count; ++index) {
    const double difference = static_cast<double>(grid.scale * codes[index] + grid.min - block.values[index]);
    error += static_cast<double>(block.weights[index]) * difference * difference;
  }
  return error;
}

double error_of(const WeightedBlock& block, const Grid& grid, std::uint32_t bits) {
  float codes[256];
  round_to_grid(block, grid, static_cast<float>(1U << bits), codes);
  return direct_error(block, grid, codes);
}

TEST(BlockFit, SumsGiveTheErrorAndItsMinimum) {
  const auto values = normal_values(64, 1);
  const auto noise = normal_values(64, 2);
  std::vector<float> weights(64);
  for (std::size_t index = 0; index < 64; ++index) {
    weights[index] = 1 + std::fabs(noise[index]);
  }
  const WeightedBlock block{values.data(), weights.data(), 64};
  float codes[64];
  const Grid start = range_grid(block, 8);
  round_to_grid(block, start, 8, codes);
  const FitSums sums = sums_of(block, codes);
  EXPECT_NEAR(sums.error(start), direct_error(block, start, codes), 1e-4);
  const Grid best = sums.best(start);
  const double least = direct_error(block, best, codes);
  for (const float step : {-0.01F, 0.01F}) {
    EXPECT_LT(least, direct_error(block, {best.scale + step, best.min}, codes));
    EXPECT_LT(least, direct_error(block, {best.scale, best.min + step}, codes));
  }
}

TEST(BlockFit, SearchIsNeverWorseThanRange) {
  for (const std::uint32_t bits : {2U, 3U, 4U, 8U}) {
    for (std::uint32_t seed = 0; seed < 40; ++seed) {
      auto values = normal_values(32, seed);
      const std::vector<float> weights(32, 1.0F);
      if (seed % 4 == 0) {
        values[seed / 4] *= 6;
      }
      if (seed % 4 == 1) {
        for (float& value : values) {
          value = std::fabs(value) + 0.1F;
        }
      }
      const WeightedBlock block{values.data(), weights.data(), 32};
      const double range = error_of(block, range_grid(block, static_cast<float>(1U << bits)), bits);
      EXPECT_LE(error_of(block, search_grid(block, bits), bits), range * 1.0001) << bits << " " << seed;
      const auto middle = static_cast<float>(1U << (bits - 1));
      const float plain = range_scale(block, bits);
      const float searched = search_scale(block, bits, seed % 2 == 0);
      EXPECT_LE(error_of(block, {searched, -middle * searched}, bits),
                error_of(block, {plain, -middle * plain}, bits) * 1.0001)
          << bits << " " << seed;
    }
  }
}

// What lies on a grid is found exactly, whatever the grid.
TEST(BlockFit, ValuesOnAGridAreFound) {
  for (const std::uint32_t bits : {2U, 3U, 4U}) {
    std::vector<float> values(32);
    const std::vector<float> weights(32, 1.0F);
    for (std::size_t index = 0; index < 32; ++index) {
      values[index] = 0.375F * static_cast<float>(index % (1U << bits)) - 0.3F;
    }
    const WeightedBlock block{values.data(), weights.data(), 32};
    EXPECT_LT(error_of(block, search_grid(block, bits), bits), 1e-9) << bits;
  }
}

TEST(BlockFit, ZerosAndConstants) {
  const std::vector<float> weights(16, 1.0F);
  const std::vector<float> zeros(16, 0.0F);
  const std::vector<float> twos(16, 2.0F);
  const std::vector<float> minus(16, -3.0F);
  EXPECT_EQ(search_grid({zeros.data(), weights.data(), 16}, 4).scale, 0.0F);
  EXPECT_EQ(search_scale({zeros.data(), weights.data(), 16}, 4, false), 0.0F);
  for (const auto* values : {&twos, &minus}) {
    const WeightedBlock block{values->data(), weights.data(), 16};
    EXPECT_LT(error_of(block, search_grid(block, 2), 2), 1e-8);
    EXPECT_LE(search_grid(block, 2).min, 0.0F);
  }
}

}  // namespace
}  // namespace shoal::quantize
