// A seed for a request that names none. Any thread.
#pragma once

#include <cstdint>
#include <random>

namespace shoal {

inline std::uint64_t random_seed() {
  static thread_local std::mt19937_64 numbers{std::random_device{}()};
  return numbers();
}

}  // namespace shoal
