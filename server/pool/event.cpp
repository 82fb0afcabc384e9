#include "server/pool/event.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace shoal::pool {

std::string_view loss_name(Loss loss) {
  constexpr std::array<std::string_view, 15> kNames = {"",         "crashed",  "hung",    "memory",      "protocol",
                                                       "broken",   "left",     "driver",  "launch",      "silent",
                                                       "mismatch", "recycled", "closing", "quarantined", "retired"};
  return kNames[static_cast<std::size_t>(loss)];
}

Loss loss_of(std::string_view reason) {
  if (reason.starts_with("broke the protocol")) {
    return Loss::kProtocol;
  }
  return reason.starts_with("the agent leaves") ? Loss::kLeft : Loss::kCrashed;
}

const Event& EventRing::add(Event event) {
  event.sequence = ++last_;
  if (events_.size() >= capacity_) {
    events_.pop_front();
  }
  return events_.emplace_back(std::move(event));
}

std::vector<Event> EventRing::after(std::uint64_t sequence, std::size_t limit) const {
  const auto begin = std::ranges::upper_bound(events_, sequence, {}, &Event::sequence);
  const auto count = std::min(limit, static_cast<std::size_t>(events_.end() - begin));
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace shoal::pool
