#include "engine/kernels/int8_rows.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace shoal::kernels {
namespace {

// Adding 1.5 * 2^23 leaves the value, rounded to nearest even, in the low bits of the sum.
constexpr float kRounder = 0x1.8p23F;

void quantize_run(const float* x, std::int8_t* codes, float& scale, float* sums) {
  float largest = 0;
  float finite = 0;
  for (std::size_t index = 0; index < kRun; ++index) {
    largest = std::fabs(x[index]) > largest ? std::fabs(x[index]) : largest;
    finite += x[index] * 0.0F;
  }
  const bool is_finite = finite == 0.0F;
  scale = is_finite ? largest / 127.0F : std::numeric_limits<float>::quiet_NaN();
  // Below 2^-120 the reciprocal would overflow; such a run is zero.
  const float inverse = is_finite && largest > 0x1p-120F ? 127.0F / largest : 0.0F;
  std::int32_t halves[2] = {0, 0};
  for (std::size_t index = 0; index < kRun; ++index) {
    const float rounded = (is_finite ? x[index] * inverse : 0.0F) + kRounder;
    const std::int32_t code = std::bit_cast<std::int32_t>(rounded) - std::bit_cast<std::int32_t>(kRounder);
    codes[index] = static_cast<std::int8_t>(code);
    halves[index / 16] += code;
  }
  sums[0] = static_cast<float>(halves[0]);
  sums[1] = static_cast<float>(halves[1]);
}

}  // namespace

std::size_t int8_rows_bytes(std::size_t rows, std::size_t k) {
  return rows * run_count(k) * (kRun + 3 * sizeof(float));
}

Int8Rows int8_rows_at(std::byte* memory, std::size_t rows, std::size_t k) {
  const std::size_t runs = rows * run_count(k);
  auto* floats = reinterpret_cast<float*>(memory + runs * kRun);
  return {rows, k, reinterpret_cast<std::int8_t*>(memory), floats, floats + runs};
}

void quantize_rows(const float* x, std::size_t stride, const Int8Rows& out, std::size_t begin, std::size_t end) {
  const std::size_t runs = run_count(out.k);
  for (std::size_t row = begin; row < end; ++row) {
    const float* source = x + row * stride;
    for (std::size_t run = 0; run < runs; ++run) {
      const std::size_t at = row * runs + run;
      float padded[kRun] = {};
      const float* values = source + run * kRun;
      if (const std::size_t left = out.k - run * kRun; left < kRun) {
        std::memcpy(padded, values, left * sizeof(float));
        values = padded;
      }
      quantize_run(values, out.codes + at * kRun, out.scales[at], out.sums + 2 * at);
    }
  }
}

}  // namespace shoal::kernels
