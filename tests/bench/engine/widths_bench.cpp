// Linear layers by width of the weights and by rows of x, as lines of JSON for tests/bench/widths.py:
//   widths_bench [tier] [seconds] [roofline]     tier: avx2 avx512 simd128 relaxed_simd; the best one by default
// The first line is what the machine gives, and `roofline` asks for no more. Each other line is a shape, a number of
// rows and a width, in seconds for one call. Widths take turns, so that ratios between them hold on a busy machine.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/kernels/linear.hpp"
#include "tests/bench/engine/linear_timing.hpp"

namespace shoal::bench {
namespace {

struct Width {
  const char* bits;
  std::string_view format;
};
constexpr std::array kWidths = {Width{"32", "f32"},
                                Width{"16", "f16"},
                                Width{"8", "q8-asym-s8z8-g32"},
                                Width{"4", "q4-asym-s8z8-g32"},
                                Width{"3", "q3-asym-s8z8-g32"},
                                Width{"2", "q2-asym-s8z8-g32"}};

struct Shape {
  std::size_t n, k;
};

void measure_shape(const Shape& shape, const std::vector<std::size_t>& row_counts, kernels::Tier tier, double seconds) {
  constexpr int kTurns = 3;
  std::vector<std::vector<double>> best(row_counts.size(), std::vector<double>(kWidths.size(), 1e9));
  std::array<std::size_t, kWidths.size()> bytes{};
  for (int turn = 0; turn < kTurns; ++turn) {
    for (std::size_t width = 0; width < kWidths.size(); ++width) {
      const WeightCopies weights(kWidths[width].format, shape.n, shape.k, false);
      const formats::BlockMatrix& matrix = weights.copies[0];
      bytes[width] = static_cast<std::size_t>(matrix.layout.bytes);
      for (std::size_t at = 0; at < row_counts.size(); ++at) {
        const double took =
            time_linear(weights, row_counts[at], kernels::prefers_int8(matrix.format), tier, seconds / kTurns);
        best[at][width] = std::min(best[at][width], took);
      }
    }
  }
  for (std::size_t at = 0; at < row_counts.size(); ++at) {
    for (std::size_t width = 0; width < kWidths.size(); ++width) {
      std::printf("{\"n\": %d, \"k\": %d, \"rows\": %d, \"bits\": %s, \"bytes\": %d, \"seconds\": %.9f}\n",
                  static_cast<int>(shape.n), static_cast<int>(shape.k), static_cast<int>(row_counts[at]),
                  kWidths[width].bits, static_cast<int>(bytes[width]), best[at][width]);
    }
  }
}

void measure(kernels::Tier tier, double seconds, bool is_roofline_only) {
  const Roofline roofline = measure_roofline(tier, seconds);
  std::printf("{\"tier\": \"%s\", \"read_gb\": %.2f, \"dot_gop\": %.1f}\n",
              std::string(kernels::tier_name(tier)).c_str(), roofline.read_gb, roofline.dot_gop);
  if (is_roofline_only) {
    return;
  }
  // A chat model of 135 million weights: gate or up, down, head; then an encoder's feed-forward layer.
  measure_shape({1536, 576}, {1, 2, 4, 8, 16, 128}, tier, seconds);
  measure_shape({576, 1536}, {1, 2, 4, 8, 16, 128}, tier, seconds);
  measure_shape({49152, 576}, {1, 2, 4, 8, 16}, tier, seconds);
  measure_shape({1536, 384}, {128}, tier, seconds);
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const shoal::kernels::Tier tier = shoal::bench::tier_called(argc > 1 ? argv[1] : "");
  shoal::bench::measure(tier, argc > 2 ? std::atof(argv[2]) : 0.2, argc > 3 && std::string_view(argv[3]) == "roofline");
  return 0;
}
