#include "server/pool/wear.hpp"

#include <fmt/format.h>

namespace shoal::pool {

namespace {

constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kOwnSize = 1024 * kMiB;  // more than any kind takes with nothing loaded

}  // namespace

std::optional<std::string> wear_verdict(const WearLimits& limits, const Wear& wear) {
  if (limits.max_memory_bytes > 0 && wear.memory_bytes >= limits.max_memory_bytes && wear.age >= limits.memory_grace) {
    return fmt::format("worn: its processes take {} MiB, the limit is {} MiB", wear.memory_bytes / kMiB,
                       limits.max_memory_bytes / kMiB);
  }
  if (limits.max_runs > 0 && wear.runs >= limits.max_runs) {
    return fmt::format("worn: {} runs, the limit is {}", wear.runs, limits.max_runs);
  }
  if (limits.max_age > Duration::zero() && wear.age >= limits.max_age) {
    return fmt::format("worn: connected for {} s, the limit is {} s",
                       std::chrono::duration_cast<std::chrono::seconds>(wear.age).count(),
                       std::chrono::duration_cast<std::chrono::seconds>(limits.max_age).count());
  }
  return std::nullopt;
}

std::optional<std::string> runaway_verdict(const WearLimits& limits, std::uint64_t memory_bytes) {
  if (limits.max_memory_bytes == 0 || memory_bytes < limits.max_memory_bytes + limits.max_memory_bytes / 2 + kOwnSize) {
    return std::nullopt;
  }
  return fmt::format("runaway: its processes take {} MiB, the limit is {} MiB", memory_bytes / kMiB,
                     limits.max_memory_bytes / kMiB);
}

}  // namespace shoal::pool
