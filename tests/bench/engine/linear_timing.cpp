#include "tests/bench/engine/linear_timing.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <span>

#include "engine/formats/pack.hpp"
#include "engine/kernels/linear.hpp"
#include "tests/bench/engine/roofline.hpp"

#if defined(__wasm__)
#include <wasi/api.h>
#else
#include <ctime>
#endif

namespace shoal::bench {

using kernels::Tier;

namespace {

constexpr std::size_t kWorkingSet = std::size_t{64} << 20;

}  // namespace

double now() {
#if defined(__wasm__)
  __wasi_timestamp_t nanoseconds = 0;
  (void)__wasi_clock_time_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, 1, &nanoseconds);
  return static_cast<double>(nanoseconds) * 1e-9;
#else
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
#endif
}

WeightCopies::WeightCopies(std::string_view name, std::uint64_t n, std::uint64_t k, bool is_cached) {
  const formats::BlockFormat format = *formats::parse_format(name);
  const auto layout = *formats::layout_of(format, n, k);
  const std::size_t words = layout.bytes / 4;
  const std::size_t count = is_cached ? 1 : std::max<std::size_t>(1, kWorkingSet / layout.bytes);
  memory.resize(words * count);
  std::mt19937 random(1);
  for (std::size_t word = 0; word < words; ++word) {
    // Any bits are valid codes; floats and halves are kept near 1.
    const auto bits = static_cast<std::uint32_t>(random());
    memory[word] = format.codes == formats::Codes::kF32   ? (bits & 0x807FFFFFU) | 0x3F000000U
                   : format.codes == formats::Codes::kF16 ? (bits & 0x83FF83FFU) | 0x38003800U
                   : word * 4 < layout.scales_offset      ? bits
                                                          : 0x34003400U;
  }
  for (std::size_t copy = 0; copy < count; ++copy) {
    if (copy > 0) {
      std::memcpy(&memory[copy * words], memory.data(), layout.bytes);
    }
    copies.push_back({format, layout, reinterpret_cast<const std::byte*>(&memory[copy * words])});
  }
}

kernels::Tier tier_called(std::string_view name) {
  for (const kernels::Tier candidate : kernels::running_tiers()) {
    if (kernels::tier_name(candidate) == name) {
      return candidate;
    }
  }
  return kernels::best_tier();
}

double time_linear(const WeightCopies& weights, std::size_t rows, bool use_int8, Tier tier, double seconds) {
  const auto n = static_cast<std::size_t>(weights.copies[0].layout.n);
  const auto k = static_cast<std::size_t>(weights.copies[0].layout.k);
  std::vector<float> x(rows * k);
  for (std::size_t index = 0; index < x.size(); ++index) {
    x[index] = static_cast<float>(index % 19) - 9.0F;
  }
  std::vector<float> y(rows * n);
  std::vector<float> scratch(kernels::int8_rows_bytes(rows, k) / 4);
  const auto int8 = kernels::int8_rows_at(std::as_writable_bytes(std::span(scratch)).data(), rows, k);
  std::size_t turn = 0;
  return best_time(seconds, [&] {
    if (use_int8) {
      kernels::quantize_rows(x.data(), k, int8, 0, rows);
    }
    kernels::linear({.weight = weights.copies[turn++ % weights.copies.size()],
                     .x = x.data(),
                     .x_stride = k,
                     .rows = rows,
                     .int8 = use_int8 ? &int8 : nullptr,
                     .y = y.data(),
                     .y_stride = n,
                     .n_end = n},
                    tier);
  });
}

Roofline measure_roofline(Tier tier, double seconds) {
  const RooflineLoops* loops = roofline_of(tier);
  if (loops == nullptr) {
    return {};
  }
  std::vector<std::uint32_t> words((std::size_t{256} << 20) / 4, 1);
  bool seen = false;
  const double read = best_time(seconds, [&] { seen |= loops->read(words.data(), words.size()); });
  std::vector<std::int8_t> seed(64, 3);
  float sum = 0;
  const double dots = best_time(seconds, [&] { sum += loops->dots(8192, seed.data()); });
  if (!seen || sum <= 0) {
    return {};
  }
  return {static_cast<double>(words.size()) * 4e-9 / read,
          8192.0 * static_cast<double>(loops->operations) * 1e-9 / dots};
}

const RooflineLoops* roofline_of(Tier tier) {
  switch (tier) {
#if defined(__x86_64__)
    case Tier::kAvx2:
      return &kRooflineAvx2;
    case Tier::kAvx512:
      return &kRooflineAvx512;
#endif
#if defined(__wasm_simd128__)
    case Tier::kSimd128:
      return &kRooflineSimd128;
#endif
#if defined(__wasm_relaxed_simd__)
    case Tier::kRelaxedSimd:
      return &kRooflineRelaxedSimd;
#endif
    default:
      return nullptr;
  }
}

}  // namespace shoal::bench
