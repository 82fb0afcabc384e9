// How much each model is asked for of late: requests, of which those of five minutes ago count half. Pure; main lane.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "server/core/clock.hpp"

namespace shoal::dispatch {

class DemandMeter {
 public:
  using Key = std::pair<std::string, std::int64_t>;  // model, version

  void add(const Key& key, TimePoint now) {
    Level& level = levels_[key];
    level.value = faded(level, now) + 1;
    level.at = now;
  }
  [[nodiscard]] double of(const Key& key, TimePoint now) const {
    const auto level = levels_.find(key);
    return level == levels_.end() ? 0 : faded(level->second, now);
  }

 private:
  struct Level {
    double value = 0;
    TimePoint at;
  };
  static double faded(const Level& level, TimePoint now) {
    constexpr double kHalfLife = 300;  // seconds
    return level.value * std::exp2(-std::chrono::duration<double>(now - level.at).count() / kHalfLife);
  }

  std::map<Key, Level> levels_;  // names of the repository's models alone
};

}  // namespace shoal::dispatch
