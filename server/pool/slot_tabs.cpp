// Of a Slot: its browser's other tabs, which are slots of their own, and what they have of the machine's accelerators.
#include <algorithm>
#include <utility>

#include "server/pool/greeting.hpp"
#include "server/pool/slot.hpp"

namespace shoal::pool {

bool Slot::has_browser() const {
  const SlotState state = fsm_.state();
  return browser_.has_tabs() &&
         (state == SlotState::kConnecting || state == SlotState::kResuming || fsm_.is_connected());
}

bool Slot::waits_for_host() {
  is_hostless_ = host_ != nullptr && !host_->has_browser();
  if (is_hostless_) {
    gate_.ended(spec_.name);  // its turn is for when there is something to start
    fsm_.mend_failed();
    fsm_.wait_turn("waits for the browser of " + host_->spec_.name);
    note();
  }
  return is_hostless_;
}

void Slot::lose_tabs() {
  for (Slot* tab : tabs_) {
    tab->host_lost("the browser that it is a tab of goes: " + fsm_.reason(), fsm_.loss());
  }
}

void Slot::host_lost(const std::string& reason, Loss loss) {
  release(kCloseRecycled, reason);
  fsm_.lost(Clock::now(), reason, Teardown::kBrowser, loss);
  note();
  wake_.cancel();
}

bool Slot::are_tabs_idle() const {
  return std::ranges::all_of(
      tabs_, [](const Slot* tab) { return tab->session_ == nullptr || tab->session_->figures().pending_work == 0; });
}

std::optional<Backend> Slot::free_accelerator() const {
  if (host_ == nullptr && is_local()) {
    for (const Backend backend : spec_.backends) {
      if (std::ranges::find(granted_, backend) == granted_.end() && !lease_.is_denied(spec_.name, backend)) {
        return backend;
      }
    }
  }
  return std::nullopt;
}

WorkerState Slot::describe(const agent::v1::Hello& hello) {
  WorkerState state = worker_state(spec_.name, granted_, hello);
  for (const Backend backend : spec_.backends) {
    if (std::ranges::find(granted_, backend) == granted_.end()) {
      state.why_not[backend] = "leased to " + lease_.holder(backend);
    } else if (host_ == nullptr && std::ranges::find(state.backends, backend) == state.backends.end()) {
      lease_.give_up(spec_.name, backend);
    }
  }
  return state;
}

void Slot::forget_recycle() {
  if (std::exchange(recycle_reason_, {}).empty()) {
    return;
  }
  for (const Slot* tab : tabs_) {
    listener_.worker_resumed(tab->spec_.name);
  }
}

}  // namespace shoal::pool
