// Of a Slot: what others are told of it.
#include <algorithm>
#include <utility>

#include "server/pool/slot.hpp"

namespace shoal::pool {

void Slot::note(const std::string& why) {
  const SlotState state = fsm_.state();
  if (noted_ == state) {
    return;
  }
  Event event{.slot = spec_.name, .to = std::string(slot_state_name(state))};
  const bool was_connected = noted_ == SlotState::kReady || noted_ == SlotState::kResuming ||
                             noted_ == SlotState::kSpare || noted_ == SlotState::kDraining ||
                             noted_ == SlotState::kDrained;
  if (noted_) {
    event.from = slot_state_name(*noted_);
  }
  noted_ = state;
  if (state == SlotState::kLosing) {
    note_loss(event);
  } else if (event.from == "resuming" && fsm_.is_connected()) {
    event.outage = Clock::now() - broken_at_;
    event.loss = Loss::kBroken;
    event.rung = "resume";
  } else if (fsm_.is_connected() && session_ == nullptr) {
    if (!fsm_.is_mending()) {
      event.launched_in = Clock::now() - launch_began_;
    }
    if (lost_at_) {
      event.outage = Clock::now() - *lost_at_;
      event.loss = loss_;
      event.rung = teardown_name(rung_);
    }
  } else if (state == SlotState::kBackingOff || state == SlotState::kQuarantined || state == SlotState::kDraining ||
             state == SlotState::kResuming || (state == SlotState::kWaiting && fsm_.launches() > 0)) {
    event.reason = fsm_.reason();
  }
  if (!why.empty()) {
    event.reason = why;
  }
  const bool is_gone = state == SlotState::kDormant || state == SlotState::kQuarantined || state == SlotState::kClosed;
  if (is_gone && host_ == nullptr) {
    lease_.give_up(spec_.name);
  }
  if (fsm_.is_connected() || state == SlotState::kDormant) {
    lost_at_.reset();
  }
  events_.record(std::move(event));
  tell_gate(was_connected);
}

void Slot::tell_gate(bool was_connected) {
  const SlotState state = fsm_.state();
  if (state == SlotState::kLosing) {
    const TimePoint now = Clock::now();
    const Loss loss = fsm_.loss();
    has_lived_ = has_lived_ || (was_connected && now - connected_at_ >= config_.stable_after);
    if (loss == Loss::kMismatch || loss == Loss::kRecycled || loss == Loss::kRetired || loss == Loss::kClosing ||
        host_ != nullptr) {
      gate_.withdrew(spec_.name);
    } else if (has_lived_) {
      gate_.lived(spec_.name, now);
    } else {
      gate_.failed(spec_.name, fsm_.reason(), now);
    }
  }
  if (state != SlotState::kWaiting && state != SlotState::kLaunching && state != SlotState::kConnecting) {
    gate_.ended(spec_.name);
  }
}

void Slot::note_loss(Event& event) {
  forget_recycle();  // it gets another browser anyway
  event.reason = fsm_.reason();
  event.loss = fsm_.loss();
  event.rung = teardown_name(fsm_.teardown());
  if (!lost_at_) {
    lost_at_ = event.from == "resuming" ? broken_at_ : Clock::now();
    loss_ = fsm_.loss();
    rung_ = fsm_.teardown();
  }
  rung_ = std::max(rung_, fsm_.teardown());
}

Place Slot::place() const {
  Place place{.slot = spec_.name, .duty = fsm_.duty(), .is_busy = session_ && session_->figures().pending_work > 0};
  const SlotState state = fsm_.state();
  if (fsm_.is_drained() || state == SlotState::kQuarantined || state == SlotState::kClosed) {
    place.condition = Place::Condition::kOut;
  } else if (fsm_.is_connected() || state == SlotState::kResuming) {
    place.condition = Place::Condition::kReady;
  }
  return place;
}

SlotView Slot::view() const {
  SlotView view{.slot = spec_.name, .kind = spec_.kind, .state = fsm_.state(), .reason = fsm_.reason()};
  view.restarts = fsm_.restarts();
  view.version = browser_.version();
  if (session_ != nullptr) {
    view.capabilities = capabilities_;
    session_->add_to(view);
  }
  return view;
}

}  // namespace shoal::pool
