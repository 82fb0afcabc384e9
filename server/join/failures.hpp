// How often each address has failed lately, so that guessing and noise cost it, not us. Pure; main lane. An address
// that reaches the bound is refused unheard until the window that began with its first failure is over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "server/core/clock.hpp"

namespace shoal::join {

class Failures {
 public:
  static constexpr std::size_t kMaxPeers = 4096;  // the one whose window ends first makes room

  Failures(std::uint32_t max_failures, Duration window) : max_failures_(max_failures), window_(window) {}

  [[nodiscard]] bool is_blocked(std::string_view peer, TimePoint now) const;
  void add(std::string_view peer, TimePoint now);
  [[nodiscard]] std::size_t size() const { return peers_.size(); }

 private:
  struct Window {
    TimePoint ends;
    std::uint32_t count = 0;
  };
  std::uint32_t max_failures_;
  Duration window_;
  std::map<std::string, Window, std::less<>> peers_;
};

}  // namespace shoal::join
