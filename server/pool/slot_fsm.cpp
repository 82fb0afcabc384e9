#include "server/pool/slot_fsm.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace shoal::pool {

std::string_view slot_state_name(SlotState state) {
  constexpr std::array<std::string_view, 14> kNames = {
      "waiting", "launching",   "connecting",  "ready",  "draining", "drained", "resuming",
      "losing",  "backing_off", "quarantined", "closed", "paused",   "dormant", "spare"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view teardown_name(Teardown teardown) {
  constexpr std::array<std::string_view, 5> kNames = {"page", "tab", "browser", "driver", "profile"};
  return kNames[static_cast<std::size_t>(teardown)];
}

bool SlotFsm::is_connected() const {
  return state_ == SlotState::kReady || state_ == SlotState::kSpare || state_ == SlotState::kDraining ||
         state_ == SlotState::kDrained;
}

SlotState SlotFsm::connected_state() const {
  if (draining_ || duty_ == schedule::Duty::kDormant) {
    return SlotState::kDraining;
  }
  return duty_ == schedule::Duty::kSpare ? SlotState::kSpare : SlotState::kReady;
}

std::uint64_t SlotFsm::restarts() const { return launches_ - lives_before_ - (launches_ > fresh_since_ ? 1 : 0); }

SlotFsm::Action SlotFsm::next(TimePoint now) {
  if (state_ == SlotState::kConnecting && now >= wake_at()) {
    ++failures_;
    lose("the page did not say hello in time", is_mending_ ? Teardown::kBrowser : Teardown::kAll, Loss::kSilent);
  }
  if (state_ == SlotState::kResuming && now >= wake_at()) {
    lost(now, reason_, Teardown::kPage, Loss::kBroken);  // its browser lives
  }
  if (state_ == SlotState::kBackingOff && now >= wake_at()) {
    state_ = SlotState::kLaunching;
    started_ = false;
  }
  switch (state_) {
    case SlotState::kLaunching:
      if (!std::exchange(started_, true)) {
        launches_ += is_mending_ ? 0 : 1;
        return Action::kLaunch;
      }
      return Action::kWait;
    case SlotState::kLosing:
      return std::exchange(started_, true) ? Action::kWait : Action::kTearDown;
    case SlotState::kClosed:
      return Action::kStop;
    case SlotState::kWaiting:
    case SlotState::kConnecting:
    case SlotState::kReady:
    case SlotState::kDraining:
    case SlotState::kDrained:
    case SlotState::kResuming:
    case SlotState::kBackingOff:
    case SlotState::kQuarantined:
    case SlotState::kPaused:
    case SlotState::kDormant:
    case SlotState::kSpare:
      break;
  }
  return Action::kWait;
}

TimePoint SlotFsm::wake_at() const {
  if (state_ == SlotState::kConnecting) {
    return since_ + (is_mending_ ? timing_.mend_timeout : timing_.connect_timeout);
  }
  if (state_ == SlotState::kResuming) {
    return disconnected_at_ + timing_.resume_grace;
  }
  return state_ == SlotState::kBackingOff ? since_ + backoff_ : kNoDeadline;
}

void SlotFsm::wait_turn(std::string reason) {
  if (state_ != SlotState::kLaunching) {
    return;
  }
  state_ = SlotState::kWaiting;
  launches_ -= is_mending_ ? 0 : 1;
  if (!reason.empty()) {
    reason_ = std::move(reason);
  }
}

void SlotFsm::take_turn() {
  if (state_ == SlotState::kWaiting) {
    state_ = SlotState::kLaunching;
    started_ = false;
  }
}

void SlotFsm::mend_failed() {
  if (std::exchange(is_mending_, false) && state_ == SlotState::kLaunching) {
    ++launches_;
  }
}

bool SlotFsm::launched(TimePoint now) {
  if (state_ != SlotState::kLaunching) {
    return false;  // lost meanwhile, or its page was faster with its hello
  }
  state_ = SlotState::kConnecting;
  since_ = now;
  return true;
}

bool SlotFsm::launch_failed(std::string reason) {
  if (state_ != SlotState::kLaunching && state_ != SlotState::kResuming && !is_connected()) {
    return false;
  }
  ++failures_;
  lose(std::move(reason), Teardown::kAll, Loss::kLaunch);
  return true;
}

bool SlotFsm::hello(TimePoint now) {
  if (state_ != SlotState::kConnecting && !(state_ == SlotState::kLaunching && started_)) {
    return false;
  }
  state_ = connected_state();
  since_ = now;
  mismatches_ = 0;
  return true;
}

bool SlotFsm::lost(TimePoint now, std::string reason, Teardown teardown, Loss loss) {
  const bool was_ready = is_connected() || state_ == SlotState::kResuming;
  if (was_ready && now - since_ >= timing_.stable_after) {
    failures_ = 0;
  } else if (!was_ready && state_ != SlotState::kConnecting && state_ != SlotState::kLaunching) {
    return false;
  }
  ++failures_;
  lose(std::move(reason), teardown, loss);
  return true;
}

bool SlotFsm::disconnected(TimePoint now, std::string reason) {
  if (!is_connected() || timing_.resume_grace == Duration::zero()) {
    return false;
  }
  state_ = SlotState::kResuming;
  disconnected_at_ = now;
  reason_ = std::move(reason);
  return true;
}

bool SlotFsm::resumed() {
  if (state_ != SlotState::kResuming) {
    return false;
  }
  state_ = connected_state();
  return true;
}

bool SlotFsm::mismatch(std::string reason) {
  if (state_ != SlotState::kConnecting && state_ != SlotState::kLaunching) {
    return false;
  }
  ++mismatches_;
  lose(std::move(reason), Teardown::kProfile, Loss::kMismatch);
  return true;
}

void SlotFsm::torn_down(TimePoint now) {
  if (state_ != SlotState::kLosing) {
    return;
  }
  started_ = false;
  since_ = now;
  const bool goes = closing_ || duty_ == schedule::Duty::kDormant;
  is_mending_ = !goes && teardown_ < Teardown::kBrowser;
  if (goes && std::exchange(teardown_, Teardown::kProfile) != Teardown::kProfile) {
    state_ = SlotState::kLosing;  // with the slot goes whatever a lesser teardown had left
  } else if (goes) {
    state_ = closing_ ? SlotState::kClosed : SlotState::kDormant;
  } else if (mismatches_ >= 2) {
    state_ = SlotState::kQuarantined;
  } else if (failures_ <= 1) {
    state_ = SlotState::kLaunching;
  } else {
    backoff_ = timing_.longest_backoff;
    if (failures_ - 2 < 16) {
      backoff_ = std::min(timing_.longest_backoff, timing_.first_backoff * (1U << (failures_ - 2)));
    }
    state_ = SlotState::kBackingOff;
  }
}

void SlotFsm::drain(std::string reason) {
  if (closing_) {
    return;
  }
  draining_ = true;
  if (state_ == SlotState::kReady || state_ == SlotState::kSpare) {
    state_ = SlotState::kDraining;
    reason_ = std::move(reason);
  }
}

void SlotFsm::resume() {
  draining_ = false;
  if (is_connected()) {
    state_ = connected_state();
  }
}

void SlotFsm::idle() {
  if (state_ != SlotState::kDraining) {
    return;
  }
  if (duty_ == schedule::Duty::kDormant) {
    lose(std::move(reason_), Teardown::kProfile, Loss::kRetired);
  } else {
    state_ = SlotState::kDrained;
  }
}

void SlotFsm::assign(schedule::Duty duty, std::string reason) {
  if (closing_ || duty == duty_) {
    return;
  }
  duty_ = duty;
  if (state_ == SlotState::kDormant) {
    lives_before_ += launches_ > fresh_since_ ? 1 : 0;
    fresh_since_ = launches_;
    failures_ = 0;
    mismatches_ = 0;
    state_ = SlotState::kLaunching;
    started_ = false;
    reason_ = std::move(reason);
  } else if (is_connected()) {
    state_ = state_ == SlotState::kDrained && draining_ ? state_ : connected_state();
    reason_ = std::move(reason);
  } else if (duty == schedule::Duty::kDormant && state_ != SlotState::kLosing && state_ != SlotState::kResuming) {
    lose(std::move(reason), Teardown::kProfile, Loss::kRetired);
  }
}

bool SlotFsm::recycle(std::string reason, Teardown teardown) {
  if (closing_) {
    return false;
  }
  failures_ = 0;
  mismatches_ = 0;
  if (state_ != SlotState::kLosing) {
    lose(std::move(reason), teardown, Loss::kRecycled);
  }
  return true;
}

void SlotFsm::close() {
  if (std::exchange(closing_, true)) {
    return;
  }
  if (state_ == SlotState::kLosing && started_) {
    return;
  }
  lose("the pool closes", Teardown::kProfile, Loss::kClosing);
}

void SlotFsm::lose(std::string reason, Teardown teardown, Loss loss) {
  state_ = SlotState::kLosing;
  started_ = false;
  teardown_ = closing_ ? Teardown::kProfile : teardown;
  reason_ = std::move(reason);
  loss_ = loss;
}

}  // namespace shoal::pool
