#include "engine/quantize/block_fit.hpp"

#include <algorithm>
#include <cmath>

namespace shoal::quantize {
namespace {

// Sums are kept in 8 lanes, so that the compiler can use vectors without changing the order of additions.
constexpr std::size_t kLanes = 8;
// Adding it rounds a float of magnitude below 2^22 to the nearest whole number.
constexpr float kRounder = 0x1.8p23F;

float total(const float (&lanes)[kLanes]) {
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

struct Range {
  float low = 0;
  float high = 0;
};

Range range_of(const WeightedBlock& block) {
  Range range;
  for (std::size_t index = 0; index < block.count; ++index) {
    range.low = std::min(range.low, block.values[index]);
    range.high = std::max(range.high, block.values[index]);
  }
  return range;
}

// Refits a grid `rounds` times; keeps the best one in `best` and `best_error`.
void refine(const WeightedBlock& block, Grid grid, float levels, int rounds, Grid& best, float& best_error) {
  float codes[256];
  for (int round = 0; round < rounds; ++round) {
    round_to_grid(block, grid, levels, codes);
    const FitSums sums = sums_of(block, codes);
    grid = sums.best(grid);
    const float error = sums.error(grid);
    if (error < best_error) {
      best_error = error;
      best = grid;
    }
  }
}

}  // namespace

Grid FitSums::best(const Grid& old) const {
  const float determinant = w * wqq - wq * wq;
  // Codes that are all the same tell nothing about the scale.
  const bool is_determined = determinant > 1e-6F * w * wqq;
  Grid grid{is_determined ? (w * wqx - wq * wx) / determinant : old.scale, 0};
  grid.min = best_min(grid.scale);
  // Zero lies within the grid: stored zero points are not negative.
  if (grid.min > 0) {
    grid = {best_scale(0, old.scale), 0};
  }
  return grid;
}

float FitSums::best_scale(float zero, float old) const {
  const float numerator = wqx - zero * wx;
  const float denominator = wqq - 2 * zero * wq + zero * zero * w;
  return denominator > 0 ? numerator / denominator : old;
}

float FitSums::best_min(float scale) const { return w > 0 ? (wx - scale * wq) / w : 0; }

float FitSums::error(const Grid& grid) const {
  return wxx - 2 * (grid.scale * wqx + grid.min * wx) + grid.scale * (grid.scale * wqq + 2 * grid.min * wq) +
         grid.min * grid.min * w;
}

void round_to_grid(const WeightedBlock& block, const Grid& grid, float levels, float* codes) {
  const float inverse = grid.scale != 0 ? 1.0F / grid.scale : 0.0F;
  const float shift = -grid.min * inverse;
  const float top = levels - 1;
  for (std::size_t index = 0; index < block.count; ++index) {
    const float place = block.values[index] * inverse + shift;
    const float clamped = place < 0 ? 0 : place > top ? top : place;
    codes[index] = (clamped + kRounder) - kRounder;
  }
}

FitSums sums_of(const WeightedBlock& block, const float* codes) {
  float w[kLanes] = {}, wq[kLanes] = {}, wqq[kLanes] = {}, wx[kLanes] = {}, wqx[kLanes] = {}, wxx[kLanes] = {};
  for (std::size_t first = 0; first < block.count; first += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float weight = block.weights[first + lane];
      const float value = block.values[first + lane];
      const float code = codes[first + lane];
      const float weighted_code = weight * code;
      const float weighted_value = weight * value;
      w[lane] += weight;
      wq[lane] += weighted_code;
      wqq[lane] += weighted_code * code;
      wx[lane] += weighted_value;
      wqx[lane] += weighted_value * code;
      wxx[lane] += weighted_value * value;
    }
  }
  return {total(w), total(wq), total(wqq), total(wx), total(wqx), total(wxx)};
}

Grid range_grid(const WeightedBlock& block, float levels) {
  const Range range = range_of(block);
  return {(range.high - range.low) / (levels - 1), range.low};
}

Grid search_grid(const WeightedBlock& block, std::uint32_t bits) {
  const auto levels = static_cast<float>(1U << bits);
  const Range range = range_of(block);
  Grid best = range_grid(block, levels);
  if (best.scale == 0) {
    return best;
  }
  float best_error = INFINITY;
  refine(block, best, levels, bits == 8 ? 1 : 3, best, best_error);
  if (bits == 8) {
    return best;
  }
  // How far each end may move in, as a part of the range of values on its side of zero. More bits clip less.
  const int steps = bits == 2 ? 8 : 6;
  const float deepest = bits == 2 ? 0.56F : bits == 3 ? 0.30F : 0.18F;
  for (int low = 0; low < steps; ++low) {
    for (int high = 0; high < steps; ++high) {
      const auto part = [&](int step) {
        return 1.0F - deepest * static_cast<float>(step) / static_cast<float>(steps - 1);
      };
      const float bottom = range.low * part(low);
      const Grid start{(range.high * part(high) - bottom) / (levels - 1), bottom};
      if (start.scale > 0) {
        refine(block, start, levels, 1, best, best_error);
      }
    }
  }
  refine(block, best, levels, 2, best, best_error);
  return best;
}

float range_scale(const WeightedBlock& block, std::uint32_t bits) {
  const Range range = range_of(block);
  const auto half = static_cast<float>(1U << (bits - 1));
  // The positive side has one level less.
  return std::max(-range.low / half, range.high / (half - 1));
}

float search_scale(const WeightedBlock& block, std::uint32_t bits, bool may_be_negative) {
  const auto levels = static_cast<float>(1U << bits);
  const float zero = levels / 2;
  const Range range = range_of(block);
  const float largest = std::max(-range.low, range.high);
  float best = range_scale(block, bits);
  float best_error = INFINITY;
  float codes[256];
  const int steps = bits == 8 ? 2 : 16;
  for (int sign = 1; sign >= (may_be_negative ? -1 : 1); sign -= 2) {
    for (int step = 0; step < steps; ++step) {
      // From a bit wider than the largest value to well inside, as for the asymmetric grid.
      const float reach =
          zero + (bits == 2 ? -0.6F + 0.1F * static_cast<float>(step) : -0.9F + 0.15F * static_cast<float>(step));
      float scale = static_cast<float>(sign) * largest / (bits == 8 ? zero - static_cast<float>(step) : reach);
      for (int round = 0; round < 2; ++round) {
        round_to_grid(block, {scale, -zero * scale}, levels, codes);
        const FitSums sums = sums_of(block, codes);
        scale = sums.best_scale(zero, scale);
        const float error = sums.error({scale, -zero * scale});
        if (error < best_error && (may_be_negative || scale >= 0)) {
          best_error = error;
          best = scale;
        }
      }
    }
  }
  return best;
}

}  // namespace shoal::quantize
