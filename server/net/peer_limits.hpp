// How many connections each address may hold and open: before a handshake is paid for. Pure; lives on one lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "server/core/clock.hpp"

namespace shoal::net {

class PeerLimits {
 public:
  struct Limits {
    std::uint32_t connections = 32;  // of one address at once: a page loads six files at a time, a house has devices
    std::uint32_t all_connections = 128;
    double per_second = 20;  // new ones of one address, on average
    double burst = 64;
  };
  static constexpr std::size_t kMaxPeers = 4096;  // remembered; of those above, idle ones are forgotten first

  explicit PeerLimits(Limits limits) : limits_(limits) {}

  // Takes a place, or says why not. Each true is followed by one leave().
  [[nodiscard]] bool enter(std::string_view peer, TimePoint now);
  void leave(std::string_view peer);
  [[nodiscard]] std::uint32_t connections() const { return connections_; }

 private:
  struct Peer {
    std::uint32_t connections = 0;
    double tokens = 0;
    TimePoint at;
  };
  bool make_room(TimePoint now);

  Limits limits_;
  std::uint32_t connections_ = 0;
  std::map<std::string, Peer, std::less<>> peers_;
};

}  // namespace shoal::net
