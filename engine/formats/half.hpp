// Binary32 to binary16, rounded to nearest, ties to even. The way back is engine/core/f16.hpp.
#pragma once

#include <bit>
#include <cstdint>

namespace shoal::formats {

constexpr bool is_finite_half(std::uint16_t half) { return (half & 0x7C00U) != 0x7C00U; }

// Values beyond the range of binary16 become infinity, as IEEE 754 says: who must not have that checks first.
constexpr std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) {
    return static_cast<std::uint16_t>(sign | 0x7E00U);
  }
  if (magnitude >= 0x47800000U) {
    return static_cast<std::uint16_t>(sign | 0x7C00U);
  }
  if (magnitude < 0x38800000U) {
    // Below 2^-14 binary16 counts in steps of 2^-24; adding 0.5 makes binary32 round to exactly those steps.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000U));
  }
  const std::uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13) & 1U);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}

}  // namespace shoal::formats
