#include "engine/kernels/int8_rows.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace shoal::kernels {
namespace {

struct Quantized {
  std::vector<float> memory;
  Int8Rows rows;

  Quantized(const std::vector<float>& x, std::size_t count, std::size_t k) : memory(int8_rows_bytes(count, k) / 4) {
    rows = int8_rows_at(std::as_writable_bytes(std::span(memory)).data(), count, k);
    quantize_rows(x.data(), k, rows, 0, count);
  }
};

TEST(Int8Rows, ErrorIsHalfAStepAndSumsAreExact) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  const std::size_t k = 80;
  std::vector<float> x(3 * k);
  for (float& value : x) {
    value = normal(random);
  }
  const Quantized quantized(x, 3, k);
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t run = 0; run < 3; ++run) {
      const std::size_t at = quantized.rows.place(row, run);
      const float scale = quantized.rows.scales[at];
      int sums[2] = {0, 0};
      int largest = 0;
      for (std::size_t index = 0; index < 32; ++index) {
        const int code = quantized.rows.codes[at * 32 + index];
        const std::size_t element = run * 32 + index;
        const float value = element < k ? x[row * k + element] : 0.0F;
        EXPECT_LE(std::fabs(scale * static_cast<float>(code) - value), scale * 0.5001F);
        sums[index / 16] += code;
        largest = std::max(largest, std::abs(code));
      }
      EXPECT_EQ(largest, 127);
      EXPECT_EQ(quantized.rows.half_sums[2 * at], static_cast<float>(sums[0]));
      EXPECT_EQ(quantized.rows.half_sums[2 * at + 1], static_cast<float>(sums[1]));
      EXPECT_EQ(quantized.rows.sums[at], static_cast<float>(sums[0] + sums[1]));
    }
  }
}

TEST(Int8Rows, EveryRunHasAPlaceOfItsOwn) {
  for (const std::size_t count : {1U, 16U, 17U, 40U}) {
    const Int8Rows rows{.rows = count, .k = 70};
    std::vector<bool> is_taken(count * 3);
    for (std::size_t row = 0; row < count; ++row) {
      for (std::size_t run = 0; run < 3; ++run) {
        ASSERT_LT(rows.place(row, run), is_taken.size());
        EXPECT_FALSE(is_taken[rows.place(row, run)]);
        is_taken[rows.place(row, run)] = true;
      }
    }
  }
  const Int8Rows rows{.rows = 40, .k = 70};
  EXPECT_EQ(rows.place(17, 1), 16 * 3 + 16 + 1U) << "rows of a tile are beside each other";
}

TEST(Int8Rows, ZeroTinyHugeAndNotFinite) {
  std::vector<float> x(32 * 5, 0.0F);
  x[32] = 1e-44F;
  x[64] = std::numeric_limits<float>::max();
  x[96] = std::numeric_limits<float>::infinity();
  x[128] = std::numeric_limits<float>::quiet_NaN();
  const Quantized quantized(x, 5, 32);
  EXPECT_EQ(quantized.rows.scales[0], 0.0F);
  EXPECT_EQ(quantized.rows.codes[32], 0);
  EXPECT_EQ(quantized.rows.codes[64], 127);
  EXPECT_TRUE(std::isnan(quantized.rows.scales[3]));
  EXPECT_TRUE(std::isnan(quantized.rows.scales[4]));
  EXPECT_EQ(quantized.rows.codes[96], 0);
}

}  // namespace
}  // namespace shoal::kernels
