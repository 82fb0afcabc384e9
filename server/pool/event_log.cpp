#include "server/pool/event_log.hpp"

#include <chrono>
#include <utility>

namespace shoal::pool {

EventLog::EventLog(std::size_t capacity, Log log, Observer observer)
    : ring_(capacity), log_(std::move(log)), observer_(std::move(observer)) {}

void EventLog::record(Event event) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  event.unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const Event& kept = ring_.add(std::move(event));
  const bool is_breaker = !kept.breaker.empty();
  log_.info(is_breaker              ? "breaker_state"
            : kept.instance.empty() ? "slot_state"
                                    : "instance_state",
            {{is_breaker ? "breaker" : "slot", is_breaker ? kept.breaker : kept.slot},
             {"instance", kept.instance},
             {"from", kept.from},
             {"to", kept.to},
             {"reason", kept.reason},
             {"rung", kept.rung},
             {"sequence", kept.sequence}});
  if (observer_) {
    observer_(kept);
  }
}

}  // namespace shoal::pool
