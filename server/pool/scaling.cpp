#include "server/pool/scaling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace shoal::pool {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Since when a condition has held without a break.
void keep_since(std::optional<TimePoint>& since, bool holds, TimePoint now) {
  since = holds ? std::optional(since.value_or(now)) : std::nullopt;
}

}  // namespace

std::optional<Scaling::Step> Scaling::decide(TimePoint now, const GroupLoad& load) {
  const std::uint64_t workers = load.ready + load.coming;
  keep_since(pressed_since_, load.queued > limits_.up_queue * std::max<std::uint64_t>(workers, 1), now);
  // While somebody is on the way it is not known who is needed.
  keep_since(spared_since_, load.queued == 0 && load.coming == 0 && load.busy < load.ready, now);
  if (wanted_ == 0 && limits_.max > 0 && load.queued > 0) {
    return step(now, true, fmt::format("{} requests wait and no browser runs", load.queued));
  }
  if (stepped_at_ && now - *stepped_at_ < limits_.cooldown) {
    return std::nullopt;
  }
  if (pressed_since_ && now - *pressed_since_ >= limits_.up_after && wanted_ < limits_.max &&
      !load.is_short_of_memory) {
    return step(now, true,
                fmt::format("{} requests wait, more than {} for each of {} workers for {:.1f} s", load.queued,
                            limits_.up_queue, workers, seconds(now - *pressed_since_)));
  }
  if (spared_since_ && now - *spared_since_ >= limits_.down_idle && wanted_ > limits_.min) {
    return step(
        now, false,
        fmt::format("one of {} workers was not needed for {:.1f} s", load.ready, seconds(now - *spared_since_)));
  }
  return std::nullopt;
}

Scaling::Step Scaling::step(TimePoint now, bool is_up, std::string reason) {
  wanted_ = is_up ? wanted_ + 1 : wanted_ - 1;
  stepped_at_ = now;
  // What was seen so far was seen with another number of workers.
  pressed_since_.reset();
  spared_since_.reset();
  return {is_up, std::move(reason)};
}

}  // namespace shoal::pool
