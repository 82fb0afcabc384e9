// How many workers one group of browsers wants now: more when work waits for long, fewer when nobody is needed for
// long, never outside its bounds, and after each step nothing for a while. Pure: time comes in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/core/clock.hpp"

namespace shoal::pool {

struct ScalingLimits {
  std::uint32_t min = 1;
  std::uint32_t max = 1;
  std::uint64_t up_queue = 2;  // queued requests per worker; more than that for `up_after` is too much
  Duration up_after = std::chrono::seconds(2);
  Duration down_idle = std::chrono::seconds(60);  // one worker not needed for so long is one too many
  Duration cooldown = std::chrono::seconds(10);
};

// What a group has to do. Workers that operators have drained, and slots in quarantine, are in none of the counts.
struct GroupLoad {
  std::uint32_t ready = 0;          // connected and given work
  std::uint32_t coming = 0;         // wanted, and on their way
  std::uint32_t busy = 0;           // of `ready`: with work in hand
  std::uint64_t queued = 0;         // requests that wait and that a worker of the group could do
  bool is_short_of_memory = false;  // none is left for one more
};

class Scaling {
 public:
  // Requires: limits.min <= wanted <= limits.max.
  Scaling(ScalingLimits limits, std::uint32_t wanted) : limits_(limits), wanted_(wanted) {}

  // One more or one fewer, or nothing. To be called several times in each of the limits' durations.
  struct Step {
    bool is_up = false;
    std::string reason;  // in words
  };
  std::optional<Step> decide(TimePoint now, const GroupLoad& load);

  // All but min and max, which stay.
  void set_pace(const ScalingLimits& limits) {
    limits_ = {limits_.min, limits_.max, limits.up_queue, limits.up_after, limits.down_idle, limits.cooldown};
  }

  [[nodiscard]] std::uint32_t wanted() const { return wanted_; }
  [[nodiscard]] const ScalingLimits& limits() const { return limits_; }

 private:
  Step step(TimePoint now, bool is_up, std::string reason);

  ScalingLimits limits_;
  std::uint32_t wanted_;
  std::optional<TimePoint> pressed_since_;  // more work than the bound, at each look since
  std::optional<TimePoint> spared_since_;   // somebody without work and nothing queued, at each look since
  std::optional<TimePoint> stepped_at_;
};

}  // namespace shoal::pool
