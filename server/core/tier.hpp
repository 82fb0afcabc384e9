// How far a worker's word is trusted: browsers that the server launched itself are, devices only when their token says
// so. A larger tier may do what a smaller one may.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace shoal {

enum class Tier : std::uint8_t { kUntrusted, kTrusted };

constexpr std::string_view tier_name(Tier tier) { return tier == Tier::kTrusted ? "trusted" : "untrusted"; }

constexpr std::optional<Tier> tier_from(std::string_view name) {
  for (const Tier tier : {Tier::kUntrusted, Tier::kTrusted}) {
    if (tier_name(tier) == name) {
      return tier;
    }
  }
  return std::nullopt;
}

}  // namespace shoal
