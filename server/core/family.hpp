// What a model is for: before anything was measured, what it is expected to run fast on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace shoal {

enum class Family : std::uint8_t { kText, kVision, kAudio, kMultimodal };
inline constexpr std::array<Family, 4> kFamilies = {Family::kText, Family::kVision, Family::kAudio,
                                                    Family::kMultimodal};

constexpr std::string_view family_name(Family family) {
  constexpr std::array<std::string_view, 4> kNames = {"text", "vision", "audio", "multimodal"};
  return kNames[static_cast<std::size_t>(family)];
}

constexpr std::optional<Family> family_from(std::string_view name) {
  for (const Family family : kFamilies) {
    if (family_name(family) == name) {
      return family;
    }
  }
  return std::nullopt;
}

}  // namespace shoal
