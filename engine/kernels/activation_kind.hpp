// The activation functions that plans name. Numbers are part of the plan format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace shoal::kernels {

enum class Activation : std::uint8_t {
  kNone = 0,
  kRelu = 1,
  kGelu = 2,       // x * Phi(x), by erf
  kGeluTanh = 3,   // its approximation by tanh
  kQuickGelu = 4,  // x * sigmoid(1.702 x)
  kSilu = 5,       // x * sigmoid(x)
  kTanh = 6,
};
inline constexpr std::size_t kActivationCount = 7;
inline constexpr std::array<std::string_view, kActivationCount> kActivationNames = {
    "none", "relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "tanh"};

}  // namespace shoal::kernels
