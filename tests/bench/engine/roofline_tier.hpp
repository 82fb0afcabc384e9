// The loops of roofline.hpp as templates over a tier of simd.hpp.
#pragma once

#include "engine/kernels/simd.hpp"
#include "tests/bench/engine/roofline.hpp"

namespace shoal::bench {

template <class V>
struct Roofline {
  static constexpr int kChains = 8;

  static bool read(const std::uint32_t* words, std::size_t count) {
    typename V::Words sum[4] = {};
    for (std::size_t at = 0; at < count; at += 4 * V::kLanes) {
      for (int vector = 0; vector < 4; ++vector) {
        sum[vector] = V::either(sum[vector], V::load_words(words + at + static_cast<std::size_t>(vector * V::kLanes)));
      }
    }
    float lanes[V::kLanes];
    V::store(lanes, V::to_floats(V::either(V::either(sum[0], sum[1]), V::either(sum[2], sum[3]))));
    return lanes[0] != 0.0F;
  }

  static float dots(std::size_t rounds, const std::int8_t* seed) {
    typename V::Floats total = V::splat(0);
    typename V::Words codes[kChains];
    std::uint32_t words[V::kLanes * kChains];
    for (int lane = 0; lane < V::kLanes * kChains; ++lane) {
      words[lane] = static_cast<std::uint32_t>(seed[lane % 16]) & 0x0F0F0F0FU;
    }
    for (int chain = 0; chain < kChains; ++chain) {
      codes[chain] = V::load_words(words + chain * V::kLanes);
    }
    // 8 additions of at most 3810 are what a Narrow sum may hold before it is read.
    for (std::size_t round = 0; round < rounds; round += 8) {
      typename V::Narrow sums[kChains];
      for (int step = 0; step < 8; ++step) {
        const auto act = V::Narrow::act(seed + 4 * step);
        for (int chain = 0; chain < kChains; ++chain) {
          sums[chain].add(V::Narrow::codes(codes[chain]), act);
        }
      }
      for (auto& sum : sums) {
        total = V::add(total, sum.floats());
      }
      asm volatile("" : : : "memory");
    }
    float lanes[V::kLanes];
    V::store(lanes, total);
    return lanes[0];
  }

  static constexpr std::size_t kOperations = std::size_t{2} * 4 * V::kLanes * kChains;
};

template <class V>
constexpr RooflineLoops loops_of() {
  return {&Roofline<V>::read, &Roofline<V>::dots, Roofline<V>::kOperations};
}

}  // namespace shoal::bench
