#include "engine/kernels/int8_rows.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace shoal::kernels {
namespace {

// Adding 1.5 * 2^23 leaves the value, rounded to nearest even, in the low bits of the sum.
constexpr float kRounder = 0x1.8p23F;

// Lanes keep the compiler free to use vectors without changing an order of operations.
constexpr std::size_t kLanes = 8;

struct Extent {
  float largest = 0;
  bool is_finite = true;
};

Extent extent_of(const float* x) {
  float largest[kLanes] = {};
  float zeros[kLanes] = {};
  for (std::size_t first = 0; first < kRun; first += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float magnitude = std::fabs(x[first + lane]);
      largest[lane] = magnitude > largest[lane] ? magnitude : largest[lane];
      // Infinity times zero is NaN, and NaN stays.
      zeros[lane] += magnitude * 0.0F;
    }
  }
  Extent extent;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    extent.largest = largest[lane] > extent.largest ? largest[lane] : extent.largest;
    extent.is_finite = extent.is_finite && zeros[lane] == 0.0F;
  }
  return extent;
}

void quantize_run(const float* x, const Int8Rows& out, std::size_t place) {
  const Extent extent = extent_of(x);
  std::int8_t* codes = out.codes + place * kRun;
  if (!extent.is_finite) {
    std::memset(codes, 0, kRun);
    out.scales[place] = std::numeric_limits<float>::quiet_NaN();
    out.sums[place] = out.half_sums[2 * place] = out.half_sums[2 * place + 1] = 0;
    return;
  }
  out.scales[place] = extent.largest / 127.0F;
  // Below 2^-120 the reciprocal would overflow; such a run is zero.
  const float inverse = extent.largest > 0x1p-120F ? 127.0F / extent.largest : 0.0F;
  std::int32_t whole[kRun];
  for (std::size_t index = 0; index < kRun; ++index) {
    whole[index] = std::bit_cast<std::int32_t>(x[index] * inverse + kRounder) - std::bit_cast<std::int32_t>(kRounder);
  }
  std::int32_t halves[2] = {0, 0};
  for (std::size_t index = 0; index < kRun; ++index) {
    codes[index] = static_cast<std::int8_t>(whole[index]);
  }
  for (std::size_t index = 0; index < 16; ++index) {
    halves[0] += whole[index];
    halves[1] += whole[16 + index];
  }
  out.sums[place] = static_cast<float>(halves[0] + halves[1]);
  out.half_sums[2 * place] = static_cast<float>(halves[0]);
  out.half_sums[2 * place + 1] = static_cast<float>(halves[1]);
}

}  // namespace

std::size_t int8_rows_bytes(std::size_t rows, std::size_t k) {
  return rows * run_count(k) * (kRun + 4 * sizeof(float));
}

Int8Rows int8_rows_at(std::byte* memory, std::size_t rows, std::size_t k) {
  const std::size_t runs = rows * run_count(k);
  auto* floats = reinterpret_cast<float*>(memory + runs * kRun);
  return {rows, k, reinterpret_cast<std::int8_t*>(memory), floats, floats + runs, floats + 2 * runs};
}

void quantize_rows(const float* x, std::size_t stride, const Int8Rows& out, std::size_t begin, std::size_t end) {
  const std::size_t runs = run_count(out.k);
  for (std::size_t row = begin; row < end; ++row) {
    const float* source = x + row * stride;
    for (std::size_t run = 0; run < runs; ++run) {
      float padded[kRun] = {};
      const float* values = source + run * kRun;
      if (const std::size_t left = out.k - run * kRun; left < kRun) {
        std::memcpy(padded, values, left * sizeof(float));
        values = padded;
      }
      quantize_run(values, out, out.place(row, run));
    }
  }
}

}  // namespace shoal::kernels
