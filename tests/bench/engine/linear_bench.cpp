// Speed of linear layers by format, for one row (decode) and for many (prefill), beside what the machine allows.
//   linear_bench [tier] [seconds] [format]   tier: scalar avx2 avx512 simd128 relaxed_simd; the best one by default
// Weights of one row come from memory, not from a cache: copies of a matrix that fill 64 MiB are read in turn.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/kernels/linear.hpp"
#include "tests/bench/engine/linear_timing.hpp"

namespace shoal::bench {
namespace {

using kernels::Tier;

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
      const WeightCopies cold(name, shape.n, shape.k, false);
      const auto& matrix = cold.copies[0];
      const bool use_int8 = kernels::prefers_int8(matrix.format);
      const double elements = static_cast<double>(shape.n) * static_cast<double>(shape.k);
      const double one = time_linear(cold, 1, use_int8, tier, seconds);
      const double many = time_linear(WeightCopies(name, shape.n, shape.k, true), 128, use_int8, tier, seconds);
      const double floats = use_int8 ? time_linear(cold, 1, false, tier, seconds) : one;
      std::printf("%-18s %10.1f %7.2f %6.2f | %9.2f %7.1f | %6.2f\n", std::string(name).c_str(), one * 1e6,
                  static_cast<double>(matrix.layout.bytes) * 1e-9 / one, elements * 1e-9 / one, many * 1e3,
                  elements * 256e-9 / many, elements * 1e-9 / floats);
    }
  }
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const shoal::kernels::Tier tier = shoal::bench::tier_called(argc > 1 ? argv[1] : "");
  const double seconds = argc > 2 ? std::atof(argv[2]) : 0.2;
  std::printf("tier %s, one thread\n", std::string(shoal::kernels::tier_name(tier)).c_str());
  const shoal::bench::Roofline roofline = shoal::bench::measure_roofline(tier, seconds);
  std::printf("roofline: memory read %.1f GB/s, int8 dot %.0f GOP/s\n", roofline.read_gb, roofline.dot_gop);
  shoal::bench::print_table(tier, seconds, argc > 3 ? argv[3] : "");
  return 0;
}
