// The scale and offset of one block: what a block of float values becomes on a grid of 2^bits equally spaced levels.
// Errors are weighted sums of squares. Pure and deterministic: the same numbers on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shoal::quantize {

// A block of values and how much the error of each counts. `count` is a multiple of 16, at most 256.
struct WeightedBlock {
  const float* values;
  const float* weights;
  std::size_t count;
};

// value = scale * code + min.
struct Grid {
  float scale = 0;
  float min = 0;
};

// Sums over a block that a fit and its error need, given the codes.
struct FitSums {
  float w = 0, wq = 0, wqq = 0, wx = 0, wqx = 0, wxx = 0;

  // The grid with the least error for these codes; the old one where the codes do not determine it.
  [[nodiscard]] Grid best(const Grid& old) const;
  // The best scale for a fixed min of -zero * scale, and the best min for a fixed scale.
  [[nodiscard]] float best_scale(float zero, float old) const;
  [[nodiscard]] float best_min(float scale) const;
  [[nodiscard]] float error(const Grid& grid) const;
};

// Codes of the block on a grid, rounded to nearest and clamped to [0, levels - 1]; scale 0 gives zeros.
void round_to_grid(const WeightedBlock& block, const Grid& grid, float levels, float* codes);
FitSums sums_of(const WeightedBlock& block, const float* codes);

// Round to nearest: the grid from the least to the greatest value, zero included.
Grid range_grid(const WeightedBlock& block, float levels);

// The grid with the least error found by shrinking the range from both ends and refitting by least squares.
Grid search_grid(const WeightedBlock& block, std::uint32_t bits);

// The same for levels around zero: value = scale * (code - 2^(bits-1)). A negative scale is tried where allowed.
float range_scale(const WeightedBlock& block, std::uint32_t bits);
float search_scale(const WeightedBlock& block, std::uint32_t bits, bool may_be_negative);

}  // namespace shoal::quantize
