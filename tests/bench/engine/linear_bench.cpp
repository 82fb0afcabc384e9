// Speed of linear layers by format, for one row (decode) and for many (prefill), beside what the machine allows.
//   linear_bench [tier] [seconds] [format]   tier: scalar avx2 avx512 simd128 relaxed_simd; the best one by default
// Weights of one row come from memory, not from a cache: copies of a matrix that fill 64 MiB are read in turn.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/formats/pack.hpp"
#include "engine/kernels/linear.hpp"
#include "tests/bench/engine/roofline.hpp"

#if defined(__wasm__)
#include <wasi/api.h>
#else
#include <ctime>
#endif

namespace shoal::bench {
namespace {

using kernels::Tier;

constexpr std::size_t kWorkingSet = std::size_t{64} << 20;

// Processor time, so that other work on the machine is not counted.
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

// The fastest of the passes that fit into `seconds`, in seconds for one call of `work`.
template <class Work>
double best_time(double seconds, Work work) {
  work();
  std::size_t calls = 1;
  double best = 1e9;
  const double begin = now();
  int passes = 0;
  while (now() - begin < seconds || passes < 3) {
    const double start = now();
    for (std::size_t call = 0; call < calls; ++call) {
      work();
    }
    const double took = now() - start;
    if (took < seconds / 20) {
      calls *= 2;
      continue;
    }
    best = std::min(best, took / static_cast<double>(calls));
    ++passes;
  }
  return best;
}

struct Case {
  std::vector<std::uint32_t> memory;
  std::vector<formats::BlockMatrix> copies;

  Case(std::string_view name, std::uint64_t n, std::uint64_t k, bool is_cached) {
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
};

double time_linear(const Case& weights, std::size_t rows, bool use_int8, Tier tier, double seconds) {
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

void print_roofline(Tier tier, double seconds) {
  const RooflineLoops* loops = roofline_of(tier);
  if (loops == nullptr) {
    return;
  }
  std::vector<std::uint32_t> words((std::size_t{256} << 20) / 4, 1);
  bool seen = false;
  const double read = best_time(seconds, [&] { seen |= loops->read(words.data(), words.size()); });
  std::vector<std::int8_t> seed(64, 3);
  float sum = 0;
  const double dots = best_time(seconds, [&] { sum += loops->dots(8192, seed.data()); });
  std::printf("roofline: memory read %.1f GB/s, int8 dot %.0f GOP/s%s\n",
              static_cast<double>(words.size()) * 4e-9 / read,
              8192.0 * static_cast<double>(loops->operations) * 1e-9 / dots, seen && sum > 0 ? "" : " (nothing read)");
}

void print_table(Tier tier, double seconds, std::string_view only) {
  struct Shape {
    std::size_t n, k;
  };
  const char* const names[] = {"f32",
                               "f16",
                               "q8-asym-s8z8-g32",
                               "q8-sym-f16-g32",
                               "q4-asym-s8z8-g32",
                               "q4-asym-f16-g32",
                               "q4-asym-s8z8-g64",
                               "q3-asym-s8z8-g32",
                               "q2-asym-s8z8-g32"};
  for (const Shape shape : {Shape{1536, 576}, Shape{576, 1536}, Shape{49152, 576}}) {
    std::printf("\nn %d k %d           1 row: us    GB/s  Gw/s | 128 rows: ms   GOP/s | f32 activations, 1 row: Gw/s\n",
                static_cast<int>(shape.n), static_cast<int>(shape.k));
    for (const std::string_view name : names) {
      if (!only.empty() && name != only) {
        continue;
      }
      const Case cold(name, shape.n, shape.k, false);
      const auto& matrix = cold.copies[0];
      const bool use_int8 = kernels::prefers_int8(matrix.format);
      const double elements = static_cast<double>(shape.n) * static_cast<double>(shape.k);
      const double one = time_linear(cold, 1, use_int8, tier, seconds);
      const double many = time_linear(Case(name, shape.n, shape.k, true), 128, use_int8, tier, seconds);
      const double floats = use_int8 ? time_linear(cold, 1, false, tier, seconds) : one;
      std::printf("%-18s %10.1f %7.2f %6.2f | %9.2f %7.1f | %6.2f\n", std::string(name).c_str(), one * 1e6,
                  static_cast<double>(matrix.layout.bytes) * 1e-9 / one, elements * 1e-9 / one, many * 1e3,
                  elements * 256e-9 / many, elements * 1e-9 / floats);
    }
  }
}

}  // namespace

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

int main(int argc, char** argv) {
  using shoal::kernels::Tier;
  Tier tier = shoal::kernels::best_tier();
  for (const Tier candidate : shoal::kernels::running_tiers()) {
    if (argc > 1 && shoal::kernels::tier_name(candidate) == argv[1]) {
      tier = candidate;
    }
  }
  const double seconds = argc > 2 ? std::atof(argv[2]) : 0.2;
  std::printf("tier %s, one thread\n", std::string(shoal::kernels::tier_name(tier)).c_str());
  shoal::bench::print_roofline(tier, seconds);
  shoal::bench::print_table(tier, seconds, argc > 3 ? argv[3] : "");
  return 0;
}
