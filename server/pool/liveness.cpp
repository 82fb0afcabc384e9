#include "server/pool/liveness.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace shoal::pool {

namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::optional<std::string> liveness_verdict(const LivenessLimits& limits, TimePoint last_message,
                                            const std::optional<Beat>& beat, std::span<const WorkInHand> work,
                                            TimePoint now) {
  if (now - last_message > limits.link_silence) {
    return fmt::format("hung: no message for {:.1f} s on an open connection", seconds(now - last_message));
  }
  for (const WorkInHand& item : work) {
    if (item.answer_by != kNoDeadline && now > item.answer_by) {
      return fmt::format("hung: work {} has no answer {:.1f} s after it was due at the latest", item.work_id,
                         seconds(now - item.answer_by));
    }
  }
  if (!beat) {
    return std::nullopt;
  }
  const Duration since = now - beat->arrived;
  if (beat->page_age + since > limits.page_silence) {
    return fmt::format("hung: the page's last beat is {:.1f} s old", seconds(beat->page_age + since));
  }
  for (const auto& [backend, age] : beat->engine_age) {
    const auto works_there = [&backend](const WorkInHand& item) {
      return item.backend.empty() || item.backend == backend;
    };
    if (age + since > limits.engine_silence && std::ranges::none_of(work, works_there)) {
      return fmt::format("hung: the idle {} engine's last beat is {:.1f} s old", backend, seconds(age + since));
    }
  }
  return std::nullopt;
}

}  // namespace shoal::pool
