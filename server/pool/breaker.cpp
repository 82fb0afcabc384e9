#include "server/pool/breaker.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace shoal::pool {

std::string_view breaker_state_name(BreakerState state) {
  constexpr std::array<std::string_view, 3> kNames = {"closed", "half_open", "open"};
  return kNames[static_cast<std::size_t>(state)];
}

BreakerState Breaker::state(TimePoint now) const {
  if (is_closed_) {
    return BreakerState::kClosed;
  }
  return now < retry_at_ ? BreakerState::kOpen : BreakerState::kHalfOpen;
}

bool Breaker::allows(const std::string& slot, TimePoint now) const {
  switch (state(now)) {
    case BreakerState::kClosed:
      return true;
    case BreakerState::kHalfOpen:
      return probe_.empty() || probe_ == slot;
    case BreakerState::kOpen:
      break;
  }
  return false;
}

void Breaker::began(const std::string& slot, TimePoint now) {
  if (state(now) == BreakerState::kHalfOpen) {
    probe_ = slot;
  }
}

bool Breaker::failed(const std::string& slot, std::string reason, TimePoint now) {
  if (!is_closed_) {
    // What others began before it opened says nothing new.
    if (probe_ != slot) {
      return false;
    }
    reason_ = std::move(reason);
    pause_ = std::min(limits_.longest_pause, 2 * pause_);
    open(now);
    return true;
  }
  reason_ = std::move(reason);
  failures_.push_back(now);
  while (failures_.front() <= now - limits_.window) {
    failures_.pop_front();
  }
  if (failures_.size() < limits_.failures) {
    return false;
  }
  pause_ = limits_.first_pause;
  open(now);
  return true;
}

void Breaker::open(TimePoint now) {
  is_closed_ = false;
  probe_.clear();
  retry_at_ = now + pause_;
  ++opened_;
}

bool Breaker::lived(const std::string& slot) {
  if (!is_closed_ && probe_ != slot) {
    return false;
  }
  failures_.clear();
  probe_.clear();
  return !std::exchange(is_closed_, true);
}

void Breaker::withdrew(const std::string& slot) {
  if (probe_ == slot) {
    probe_.clear();
  }
}

void Breaker::hurry(TimePoint now) { retry_at_ = std::min(retry_at_, now); }

}  // namespace shoal::pool
