#include "engine/kernels/tier.hpp"

#include <algorithm>
#include <array>

namespace shoal::kernels {
namespace {

// The fastest last.
constexpr std::array kTiers = {Tier::kScalar, Tier::kSimd128, Tier::kRelaxedSimd, Tier::kAvx2, Tier::kAvx512};

}  // namespace

std::string_view tier_name(Tier tier) {
  constexpr std::array<std::string_view, 5> kNames = {"scalar", "avx2", "avx512", "simd128", "relaxed_simd"};
  return kNames[static_cast<std::size_t>(tier)];
}

bool runs(Tier tier) {
  switch (tier) {
    case Tier::kScalar:
      return true;
#if defined(__x86_64__)
    case Tier::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    case Tier::kAvx512:
      return runs(Tier::kAvx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
#endif
#if defined(__wasm_simd128__)
    case Tier::kSimd128:
      return true;
#endif
#if defined(__wasm_relaxed_simd__)
    case Tier::kRelaxedSimd:
      return true;
#endif
    default:
      return false;
  }
}

std::vector<Tier> running_tiers() {
  std::vector<Tier> tiers;
  for (const Tier tier : kTiers) {
    if (runs(tier)) {
      tiers.push_back(tier);
    }
  }
  return tiers;
}

Tier best_tier() { return *std::ranges::find_if(kTiers.rbegin(), kTiers.rend(), runs); }

}  // namespace shoal::kernels
