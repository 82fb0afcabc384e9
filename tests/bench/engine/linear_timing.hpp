// Times linear layers over random weights of any block format, and what the machine allows: for linear_bench and
// widths_bench.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/formats/block_format.hpp"
#include "engine/kernels/tier.hpp"

namespace shoal::bench {

// Processor time of this thread in seconds, so that other work on the machine is not counted.
double now();

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
    best = took / static_cast<double>(calls) < best ? took / static_cast<double>(calls) : best;
    ++passes;
  }
  return best;
}

// Copies of one random [n, k] matrix: as many as fill 64 MiB, so that each is read from memory, or one that stays in a
// cache.
struct WeightCopies {
  std::vector<std::uint32_t> memory;
  std::vector<formats::BlockMatrix> copies;

  WeightCopies(std::string_view format, std::uint64_t n, std::uint64_t k, bool is_cached);
};

// Seconds for `rows` rows, quantising them as int8 within the time where `use_int8` says so.
double time_linear(const WeightCopies& weights, std::size_t rows, bool use_int8, kernels::Tier tier, double seconds);

// The tier of this name, where this machine runs it; else its best.
kernels::Tier tier_called(std::string_view name);

struct Roofline {
  double read_gb = 0;  // GB/s of memory
  double dot_gop = 0;  // GOP/s of int8 products, two operations each
};

// Zeros for the scalar tier.
Roofline measure_roofline(kernels::Tier tier, double seconds);

}  // namespace shoal::bench
