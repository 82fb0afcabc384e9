// When a browser has served long enough and is replaced once it is idle: what leaks in it, its driver or its GPU
// process ends with it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/core/clock.hpp"

namespace shoal::pool {

// 0 = no limit.
struct WearLimits {
  std::uint64_t max_runs = 0;
  Duration max_age{};
  std::uint64_t max_memory_bytes = 0;
  // Who is at that limit sooner is not mended by a successor, who would be too.
  Duration memory_grace = std::chrono::seconds(60);
};

struct Wear {
  std::uint64_t runs = 0;          // given to the browser since it connected
  Duration age{};                  // since then
  std::uint64_t memory_bytes = 0;  // PSS of its process tree; 0 = not measured yet
};

// The limit that is reached, in words, or nothing.
std::optional<std::string> wear_verdict(const WearLimits& limits, const Wear& wear);

// Far beyond the memory limit (half as much again, and a browser's own size): it is not waited for until it is idle,
// since the machine would be out of memory first. In words, or nothing.
std::optional<std::string> runaway_verdict(const WearLimits& limits, std::uint64_t memory_bytes);

}  // namespace shoal::pool
