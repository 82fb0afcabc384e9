// Time points of Shoal are of the steady clock. Pure parts take `now`; shells read it here.
#pragma once

#include <chrono>
#include <cstdint>

namespace shoal {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

// A deadline is a time point, not a duration: it travels through every layer unchanged. kNoDeadline = none.
inline constexpr TimePoint kNoDeadline = TimePoint::max();

inline std::uint64_t microseconds_between(TimePoint from, TimePoint to) {
  return to <= from
             ? 0
             : static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(to - from).count());
}

inline double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

}  // namespace shoal
