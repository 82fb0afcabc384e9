// Of a Slot: its browser's other tabs, which are slots of their own.
#include <algorithm>
#include <utility>

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

void Slot::forget_recycle() {
  if (std::exchange(recycle_reason_, {}).empty()) {
    return;
  }
  for (const Slot* tab : tabs_) {
    listener_.worker_resumed(tab->spec_.name);
  }
}

}  // namespace shoal::pool
