// What all attention kernels share, so that they give the same bits: scalar products, softmax and biases of scores.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/four.hpp"

namespace shoal::kernels {

// Lanes whose sum4() is the scalar product.
inline Four product(const float* a, const float* b, std::size_t count) {
  constexpr std::size_t kSums = 4;
  Four sums[kSums] = {};
  std::size_t index = 0;
  for (; index + kSums * kFour <= count; index += kSums * kFour) {
    for (std::size_t which = 0; which < kSums; ++which) {
      sums[which] += load4(a + index + which * kFour) * load4(b + index + which * kFour);
    }
  }
  for (; index + kFour <= count; index += kFour) {
    sums[0] += load4(a + index) * load4(b + index);
  }
  if (index < count) {
    sums[1] += load_some(a + index, count - index) * load_some(b + index, count - index);
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// The scalar products with four rows of k from `key` on: sum4() of four products, side by side.
inline Four four_products(const float* q, const Matrix& k, std::size_t key) {
  const Four a = product(q, k.row(key), k.columns);
  const Four b = product(q, k.row(key + 1), k.columns);
  const Four c = product(q, k.row(key + 2), k.columns);
  const Four d = product(q, k.row(key + 3), k.columns);
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  const Four first = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  const Four second = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  const Four third = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  const Four fourth = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
  return (first + second) + (third + fourth);
}

// Numbers become e^(number - highest). Their sum, one after the other.
inline float exponentiate(float* numbers, std::size_t count, float highest) {
  float sum = 0;
  std::size_t index = 0;
  for (; index + kFour <= count; index += kFour) {
    const Four powers = exp4(load4(numbers + index) - highest);
    store4(numbers + index, powers);
    sum = (((sum + powers[0]) + powers[1]) + powers[2]) + powers[3];
  }
  if (const std::size_t rest = count - index; rest > 0) {
    store_some(numbers + index, exp4(load_some(numbers + index, rest) - highest), rest);
  }
  for (; index < count; ++index) {
    sum += numbers[index];
  }
  return sum;
}

inline float bias_of(const ScoreBias& bias, std::size_t key, std::size_t query) {
  const float sum = bias.slope * static_cast<float>(key);
  if (bias.of_distance == nullptr) {
    return sum;
  }
  return sum + bias.of_distance[static_cast<std::ptrdiff_t>(key) - static_cast<std::ptrdiff_t>(query)];
}

}  // namespace shoal::kernels
