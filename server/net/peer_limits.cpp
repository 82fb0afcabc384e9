#include "server/net/peer_limits.hpp"

#include <algorithm>

namespace shoal::net {

bool PeerLimits::make_room(TimePoint now) {
  std::erase_if(peers_, [&](const auto& entry) {
    const double seconds = std::chrono::duration<double>(now - entry.second.at).count();
    return entry.second.connections == 0 && entry.second.tokens + seconds * limits_.per_second >= limits_.burst;
  });
  return peers_.size() < kMaxPeers;
}

bool PeerLimits::enter(std::string_view peer, TimePoint now) {
  auto found = peers_.find(peer);
  if (found == peers_.end()) {
    if (peers_.size() >= kMaxPeers && !make_room(now)) {
      return false;
    }
    found = peers_.emplace(std::string(peer), Peer{.connections = 0, .tokens = limits_.burst, .at = now}).first;
  }
  Peer& entry = found->second;
  const double seconds = std::chrono::duration<double>(now - entry.at).count();
  entry.tokens = std::min(limits_.burst, entry.tokens + seconds * limits_.per_second);
  entry.at = now;
  if (entry.tokens < 1 || entry.connections >= limits_.connections || connections_ >= limits_.all_connections) {
    return false;
  }
  entry.tokens -= 1;
  ++entry.connections;
  ++connections_;
  return true;
}

void PeerLimits::leave(std::string_view peer) {
  if (const auto found = peers_.find(peer); found != peers_.end() && found->second.connections > 0) {
    --found->second.connections;
    --connections_;
  }
}

}  // namespace shoal::net
