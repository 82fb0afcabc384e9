#include "server/pool/start_gate.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace shoal::pool {

void StartGate::add(const std::string& slot, BreakerKey key) {
  breakers_.try_emplace(key, limits_);
  keys_.insert_or_assign(slot, std::move(key));
}

void StartGate::remove(const std::string& slot) {
  withdrew(slot);
  ended(slot);
  keys_.erase(slot);
}

void StartGate::ask(const std::string& slot, bool was_lost) {
  if (turns_.contains(slot) || starting_.contains(slot)) {
    return;
  }
  const Turn turn{!was_lost, ++arrivals_, slot};
  turns_.emplace(slot, turn);
  waiting_.insert(turn);
}

bool StartGate::may_begin(const std::string& slot, TimePoint now) const {
  const auto own = turns_.find(slot);
  if (own == turns_.end() || starting_.size() >= places_ || !breakers_.at(keys_.at(slot)).allows(slot, now)) {
    return false;
  }
  // Each of those before it takes a place; of those behind one half-open breaker only the first does.
  std::size_t before = 0;
  std::set<BreakerKey> probed;
  for (auto turn = waiting_.begin(); turn != waiting_.end() && *turn != own->second; ++turn) {
    const std::string& other = std::get<2>(*turn);
    const BreakerKey& key = keys_.at(other);
    const Breaker& breaker = breakers_.at(key);
    if (breaker.allows(other, now) && (breaker.state(now) == BreakerState::kClosed || probed.insert(key).second)) {
      ++before;
    }
  }
  return !probed.contains(keys_.at(slot)) && starting_.size() + before < places_;
}

void StartGate::begin(const std::string& slot, TimePoint now) {
  if (const auto own = turns_.find(slot); own != turns_.end()) {
    waiting_.erase(own->second);
    turns_.erase(own);
  }
  starting_.insert(slot);
  breakers_.at(keys_.at(slot)).began(slot, now);
}

void StartGate::ended(const std::string& slot) {
  if (const auto own = turns_.find(slot); own != turns_.end()) {
    waiting_.erase(own->second);
    turns_.erase(own);
  }
  if (starting_.erase(slot) > 0 && observer_.freed) {
    observer_.freed();
  }
}

template <class Act>
void StartGate::change(const std::string& slot, TimePoint now, Act act) {
  const BreakerKey& key = keys_.at(slot);
  Breaker& breaker = breakers_.at(key);
  const BreakerState before = breaker.state(now);
  if (act(breaker) && observer_.changed) {
    observer_.changed(view(key, breaker, now), before);
  }
}

void StartGate::failed(const std::string& slot, std::string reason, TimePoint now) {
  change(slot, now, [&](Breaker& breaker) { return breaker.failed(slot, std::move(reason), now); });
}

void StartGate::lived(const std::string& slot, TimePoint now) {
  change(slot, now, [&](Breaker& breaker) { return breaker.lived(slot); });
}

void StartGate::withdrew(const std::string& slot) { breakers_.at(keys_.at(slot)).withdrew(slot); }

void StartGate::hurry(const std::string& slot, TimePoint now) {
  Breaker& breaker = breakers_.at(keys_.at(slot));
  breaker.withdrew(slot);
  breaker.hurry(now);
}

std::string StartGate::obstacle(const std::string& slot, TimePoint now) const {
  const BreakerKey& key = keys_.at(slot);
  const Breaker& breaker = breakers_.at(key);
  if (breaker.allows(slot, now)) {
    return {};
  }
  const double seconds = std::chrono::duration<double>(breaker.retry_at() - now).count();
  return breaker.state(now) == BreakerState::kOpen
             ? fmt::format("the breaker of {} is open for {:.1f} s more: {}", key.browser, seconds, breaker.reason())
             : fmt::format("the breaker of {} lets one browser try first: {}", key.browser, breaker.reason());
}

BreakerView StartGate::view(const BreakerKey& key, const Breaker& breaker, TimePoint now) const {
  BreakerView view{.key = key,
                   .state = breaker.state(now),
                   .reason = breaker.reason(),
                   .opened = breaker.opened(),
                   .failures = breaker.failures()};
  view.waiting = static_cast<std::uint64_t>(
      std::ranges::count_if(turns_, [&](const auto& turn) { return keys_.at(turn.first) == key; }));
  if (view.state == BreakerState::kOpen) {
    view.retry_in = breaker.retry_at() - now;
  }
  return view;
}

std::vector<BreakerView> StartGate::breakers(TimePoint now) const {
  std::vector<BreakerView> views;
  for (const auto& [key, breaker] : breakers_) {
    views.push_back(view(key, breaker, now));
  }
  return views;
}

}  // namespace shoal::pool
