// Times of the calendar: of what outlives the server, like tokens and keys. Everything else uses clock.hpp.
#pragma once

#include <chrono>

namespace shoal {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

// For shells: the pure parts are given it.
inline WallTime wall_now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace shoal
