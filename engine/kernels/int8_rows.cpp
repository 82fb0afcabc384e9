#include "engine/kernels/int8_rows.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/kernels/four.hpp"

namespace shoal::kernels {
namespace {

// Adding 1.5 * 2^23 leaves the value, rounded to nearest even, in the low bits of the sum.
constexpr float kRounder = 0x1.8p23F;

using Sixteen = std::int32_t __attribute__((ext_vector_type(16)));
using SixteenBytes = std::int8_t __attribute__((ext_vector_type(16)));

struct Extent {
  float largest = 0;
  bool is_finite = true;
};

Extent extent_of(const float* x) {
  constexpr std::size_t kChains = 2;
  Four largest[kChains] = {};
  Four zeros[kChains] = {};
  for (std::size_t first = 0; first < kRun; first += kChains * kFour) {
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      const auto bits = std::bit_cast<FourInts>(load4(x + first + chain * kFour)) & 0x7FFFFFFF;
      const Four magnitude = std::bit_cast<Four>(bits);
      largest[chain] = largest[chain] < magnitude ? magnitude : largest[chain];
      // Infinity times zero is NaN, and NaN stays.
      zeros[chain] += magnitude * 0.0F;
    }
  }
  const Four most = largest[0] < largest[1] ? largest[1] : largest[0];
  const float low = most[0] < most[1] ? most[1] : most[0];
  const float high = most[2] < most[3] ? most[3] : most[2];
  return {.largest = low < high ? high : low, .is_finite = sum4(zeros[0] + zeros[1]) == 0.0F};
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
  std::int32_t halves[2];
  for (std::size_t half = 0; half < 2; ++half) {
    FourInts whole[4];
    for (std::size_t which = 0; which < 4; ++which) {
      const Four rounded = load4(x + half * 16 + which * kFour) * inverse + kRounder;
      whole[which] = std::bit_cast<FourInts>(rounded) - std::bit_cast<std::int32_t>(kRounder);
    }
    Sixteen sixteen;
    std::memcpy(&sixteen, whole, sizeof(sixteen));
    const auto bytes = __builtin_convertvector(sixteen, SixteenBytes);
    std::memcpy(codes + half * 16, &bytes, sizeof(bytes));
    const FourInts sums = (whole[0] + whole[1]) + (whole[2] + whole[3]);
    halves[half] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
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
