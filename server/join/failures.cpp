#include "server/join/failures.hpp"

#include <algorithm>

namespace shoal::join {

bool Failures::is_blocked(std::string_view peer, TimePoint now) const {
  const auto found = peers_.find(peer);
  return found != peers_.end() && now < found->second.ends && found->second.count >= max_failures_;
}

void Failures::add(std::string_view peer, TimePoint now) {
  const auto found = peers_.find(peer);
  if (found != peers_.end() && now < found->second.ends) {
    ++found->second.count;
    return;
  }
  if (found == peers_.end() && peers_.size() >= kMaxPeers) {
    peers_.erase(std::ranges::min_element(peers_, {}, [](const auto& entry) { return entry.second.ends; }));
  }
  peers_.insert_or_assign(std::string(peer), Window{now + window_, 1});
}

}  // namespace shoal::join
