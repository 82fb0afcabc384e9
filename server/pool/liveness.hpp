// Whether a connected agent is alive, judged by what it says of itself. Pure. A closed WebSocket means crashed and
// needs no judgement; here is what a socket that is still open hides (the browser's network process answers pings for a
// stopped page):
//
//   nothing from the link worker for link_silence      the browser hangs or is stopped
//   the page's beat older than page_silence            the page hangs
//   an engine's beat older than engine_silence with
//     nothing to run or load there                     the engine hangs; while it works, long steps are legal
//   work unanswered past its answer_by                 the engine hangs
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "server/core/clock.hpp"

namespace shoal::pool {

struct LivenessLimits {
  Duration link_silence{};
  Duration page_silence{};
  Duration engine_silence{};
};

// The last heartbeat; ages are of its arrival.
struct Beat {
  TimePoint arrived;
  Duration page_age{};
  std::map<std::string, Duration> engine_age;  // by backend
};

struct WorkInHand {
  std::uint64_t work_id = 0;
  std::string backend;  // empty: not known, then every engine counts as working
  TimePoint answer_by = kNoDeadline;
};

// What is wrong, or nothing.
std::optional<std::string> liveness_verdict(const LivenessLimits& limits, TimePoint last_message,
                                            const std::optional<Beat>& beat, std::span<const WorkInHand> work,
                                            TimePoint now);

}  // namespace shoal::pool
