// Keeps a browser that cannot be started from being started again and again: a circuit breaker for all slots that share
// a program, adapter policy and remote end. Pure: time comes in.
//
//   closed -> open         so many failed starts within the window, and nobody lived a stable life between them
//   open -> half-open      after a pause; one slot starts as the probe, the others wait
//   half-open -> closed    the probe has lived a stable life
//   half-open -> open      the probe failed too: twice the pause, up to the longest
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "server/core/clock.hpp"

namespace shoal::pool {

enum class BreakerState : std::uint8_t { kClosed, kHalfOpen, kOpen };
std::string_view breaker_state_name(BreakerState state);  // "closed" "half_open" "open"

struct BreakerLimits {
  std::uint32_t failures = 5;
  Duration window = std::chrono::seconds(60);
  Duration first_pause = std::chrono::seconds(5);
  Duration longest_pause = std::chrono::minutes(5);
};

class Breaker {
 public:
  explicit Breaker(BreakerLimits limits) : limits_(limits) {}

  // Whether `slot` may start a browser now. In half-open the first that begins is the probe.
  [[nodiscard]] bool allows(const std::string& slot, TimePoint now) const;
  void began(const std::string& slot, TimePoint now);

  // Each answers whether the state changed.
  // A start failed, or a browser was lost before it had lived a stable life.
  bool failed(const std::string& slot, std::string reason, TimePoint now);
  // A browser has been ready for a stable life.
  bool lived(const std::string& slot);
  // The slot gave up what it began, for reasons of its own: it, or another, may be the probe.
  void withdrew(const std::string& slot);
  // An operator's wish: the pause is over.
  void hurry(TimePoint now);

  [[nodiscard]] BreakerState state(TimePoint now) const;
  [[nodiscard]] TimePoint retry_at() const { return retry_at_; }       // of kOpen
  [[nodiscard]] const std::string& reason() const { return reason_; }  // of the last failure
  [[nodiscard]] std::uint64_t opened() const { return opened_; }       // times
  [[nodiscard]] std::size_t failures() const { return failures_.size(); }

 private:
  void open(TimePoint now);

  BreakerLimits limits_;
  bool is_closed_ = true;
  std::deque<TimePoint> failures_;
  std::string probe_;  // of half-open: who has begun; empty = nobody yet
  TimePoint retry_at_{};
  Duration pause_{};
  std::string reason_;
  std::uint64_t opened_ = 0;
};

}  // namespace shoal::pool
