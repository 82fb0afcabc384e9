// What the machine allows: memory read and int8 dot products of a tier, measured with the same vectors as the kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/tier.hpp"

namespace shoal::bench {

struct RooflineLoops {
  // Reads `count` words (a multiple of 64); the result only keeps the reads alive.
  bool (*read)(const std::uint32_t* words, std::size_t count);
  // `rounds` (a multiple of 8) rounds of independent int8 products; `seed` has 64 bytes.
  float (*dots)(std::size_t rounds, const std::int8_t* seed);
  // Operations of one round, 2 for each product.
  std::size_t operations;
};

// The loops of a tier, or null for the scalar one.
const RooflineLoops* roofline_of(kernels::Tier tier);

#if defined(__x86_64__)
extern const RooflineLoops kRooflineAvx2;
extern const RooflineLoops kRooflineAvx512;
#endif
#if defined(__wasm_simd128__)
extern const RooflineLoops kRooflineSimd128;
#endif
#if defined(__wasm_relaxed_simd__)
extern const RooflineLoops kRooflineRelaxedSimd;
#endif

}  // namespace shoal::bench
