#include "engine/quantize/quantize.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/core/f16.hpp"
#include "engine/formats/half.hpp"
#include "engine/quantize/block_fit.hpp"

namespace shoal::quantize {
namespace {

using formats::BlockFormat;
using formats::ScaleEncoding;
using formats::Scheme;

struct Row {
  const formats::MatrixWriter& matrix;
  std::uint64_t index;
  std::span<const float> values;
  std::vector<float> weights;
  std::vector<float> codes;
  Method method;

  [[nodiscard]] std::size_t block_size() const { return matrix.format.block; }
  [[nodiscard]] WeightedBlock block(std::size_t number) const {
    return {values.data() + number * block_size(), weights.data() + number * block_size(), block_size()};
  }
  float* block_codes(std::size_t number) { return codes.data() + number * block_size(); }
  [[nodiscard]] std::uint32_t bits() const { return formats::code_bits(matrix.format.codes); }
  [[nodiscard]] float levels() const { return static_cast<float>(1U << bits()); }
  [[nodiscard]] float middle() const { return levels() / 2; }
};

std::vector<float> importance(std::span<const float> values, const Options& options) {
  std::vector<float> weights(values.size(), 1.0F);
  if (options.method == Method::kSearch && options.weigh_magnitude) {
    double square = 0;
    for (const float value : values) {
      square += static_cast<double>(value) * static_cast<double>(value);
    }
    const auto sigma = static_cast<float>(std::sqrt(square / static_cast<double>(values.size())));
    for (std::size_t index = 0; index < values.size(); ++index) {
      // A row of zeros still needs weights that are not zero.
      weights[index] = sigma > 0 ? 1.0F + std::fabs(values[index]) / sigma : 1.0F;
    }
  }
  return weights;
}

// The grid that a block would have if scales could be stored exactly.
Grid wanted_grid(const Row& row, std::size_t number, bool may_be_negative) {
  const WeightedBlock block = row.block(number);
  const bool is_search = row.method == Method::kSearch;
  if (row.matrix.format.scheme == Scheme::kAsymmetric) {
    return is_search ? search_grid(block, row.bits()) : range_grid(block, row.levels());
  }
  const float scale = is_search ? search_scale(block, row.bits(), may_be_negative) : range_scale(block, row.bits());
  return {scale, -row.middle() * scale};
}

// The best u8 scale and u8 zero point of a block near `wanted`, and its codes.
void store_s8z8(Row& row, std::size_t number, const Grid& wanted, float row_unit) {
  const WeightedBlock block = row.block(number);
  const bool is_asymmetric = row.matrix.format.scheme == Scheme::kAsymmetric;
  const float unit = formats::zero_unit(row.matrix.format.codes);
  const float nearest = row_unit > 0 ? std::nearbyint(wanted.scale / row_unit) : 0;
  const int reach = row.method == Method::kSearch && row.bits() < 8 ? 1 : 0;
  float best_error = INFINITY;
  float best_scale = 0;
  float best_zero = 0;
  float codes[formats::kMaxBlock] = {};
  for (int step = -reach; step <= reach; ++step) {
    const float index = std::clamp(nearest + static_cast<float>(step), 0.0F, 255.0F);
    const float scale = row_unit * index;
    float zero = is_asymmetric ? (scale > 0 ? -wanted.min / scale / unit : 0) : row.middle() / unit;
    for (int round = 0; round <= reach; ++round) {
      zero = is_asymmetric ? std::clamp(std::nearbyint(zero), 0.0F, 255.0F) : zero;
      const Grid grid{scale, -zero * unit * scale};
      round_to_grid(block, grid, row.levels(), codes);
      const FitSums sums = sums_of(block, codes);
      if (const float error = sums.error(grid); error < best_error) {
        best_error = error;
        best_scale = index;
        best_zero = zero;
        std::copy_n(codes, block.count, row.block_codes(number));
      }
      zero = is_asymmetric && scale > 0 ? -sums.best_min(scale) / scale / unit : zero;
    }
  }
  write_entry(row.matrix, row.index, number, static_cast<std::uint16_t>(best_scale),
              static_cast<std::uint16_t>(is_asymmetric ? best_zero : 0));
}

Status quantize_s8z8(Row& row) {
  std::vector<Grid> grids;
  float largest = 0;
  for (std::size_t number = 0; number < row.matrix.layout.blocks; ++number) {
    grids.push_back(wanted_grid(row, number, false));
    largest = std::max(largest, grids.back().scale);
  }
  std::uint16_t half = formats::f32_to_f16(largest * (256.0F / 255.0F));
  // Rounded up, so that the largest scale is within reach of 255.
  if (f16_to_f32(half) * (255.0F / 256.0F) < largest) {
    ++half;
  }
  if (!formats::is_finite_half(half)) {
    return fail(Code::kInvalidArgument, "row " + std::to_string(row.index) + " is too large for f16 scales");
  }
  formats::write_row_scale(row.matrix, row.index, half);
  for (std::size_t number = 0; number < grids.size(); ++number) {
    store_s8z8(row, number, grids[number], f16_to_f32(half) * 0x1p-8F);
  }
  return {};
}

Status quantize_f16(Row& row) {
  const bool is_asymmetric = row.matrix.format.scheme == Scheme::kAsymmetric;
  for (std::size_t number = 0; number < row.matrix.layout.blocks; ++number) {
    const WeightedBlock block = row.block(number);
    Grid grid = wanted_grid(row, number, true);
    const std::uint16_t scale = formats::f32_to_f16(grid.scale);
    grid.scale = f16_to_f32(scale);
    float* codes = row.block_codes(number);
    if (is_asymmetric && row.method == Method::kSearch) {
      round_to_grid(block, grid, row.levels(), codes);
      grid.min = sums_of(block, codes).best_min(grid.scale);
    }
    const std::uint16_t min = is_asymmetric ? formats::f32_to_f16(grid.min) : std::uint16_t{0};
    if (!formats::is_finite_half(scale) || !formats::is_finite_half(min)) {
      return fail(Code::kInvalidArgument, "row " + std::to_string(row.index) + " is too large for f16 scales");
    }
    grid.min = is_asymmetric ? f16_to_f32(min) : -row.middle() * grid.scale;
    round_to_grid(block, grid, row.levels(), codes);
    write_entry(row.matrix, row.index, number, scale, min);
  }
  return {};
}

}  // namespace

Status quantize_row(const formats::MatrixWriter& matrix, std::uint64_t row_index, std::span<const float> values,
                    const Options& options) {
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
    return fail(Code::kInvalidArgument, "row " + std::to_string(row_index) + " has a value that is not finite");
  }
  if (!formats::is_quantized(matrix.format.codes)) {
    return formats::write_row(matrix, row_index, values);
  }
  Row row{matrix, row_index, values, importance(values, options), std::vector<float>(values.size()), options.method};
  const Status status = matrix.format.scales == ScaleEncoding::kS8Z8 ? quantize_s8z8(row) : quantize_f16(row);
  if (!status) {
    return status;
  }
  std::vector<std::uint8_t> codes(row.codes.begin(), row.codes.end());
  formats::write_codes(matrix, row_index, codes);
  return {};
}

void StorageError::add(const StorageError& other) {
  error += other.error;
  square += other.square;
  largest = std::max(largest, other.largest);
}

StorageError storage_error(const formats::BlockMatrix& matrix, std::uint64_t row, std::span<const float> values) {
  std::vector<float> stored(values.size());
  formats::dequantize_row(matrix, row, stored);
  StorageError result;
  for (std::size_t index = 0; index < values.size(); ++index) {
    const double value = static_cast<double>(values[index]);
    const double difference = static_cast<double>(stored[index]) - value;
    result.error += difference * difference;
    result.square += value * value;
    result.largest = std::max(result.largest, std::fabs(difference));
  }
  return result;
}

}  // namespace shoal::quantize
