// A join token: what a device that shows its secret may do, and until when. Plain data. The secret itself is nowhere:
// only its SHA-256 is kept.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/backend.hpp"
#include "server/core/tier.hpp"
#include "server/core/wall_clock.hpp"

namespace shoal::join {

struct TokenSpec {
  std::string name;                                                      // for people
  std::vector<Backend> backends = {kBackends.begin(), kBackends.end()};  // that its devices may offer
  Tier tier = Tier::kUntrusted;
  bool is_one_time = true;  // the first device that shows it has it to itself
  std::chrono::seconds lifetime = std::chrono::hours(1);
  std::uint32_t max_devices = 1;  // connected at once; 1 of a one-time token
  std::uint64_t max_runs = 0;     // of all its devices together, checked every quarter of a second; 0 = no bound
};

// A device that has been in before. It proves it by a key that the server gave it, and gets its old number.
struct KnownDevice {
  std::string key_sha256;
  std::uint32_t number = 0;  // of its slot "device/<number>"
  std::string quarantine;    // why it may not come back; empty = it may
  bool is_connected = false;
};

struct Token {
  std::string id;
  TokenSpec spec;
  std::string secret_sha256;
  WallTime created;
  WallTime expires;
  std::optional<WallTime> revoked;
  std::uint64_t runs = 0;
  std::vector<KnownDevice> devices;  // the one that joined last at the end
};

enum class TokenState : std::uint8_t { kUsable, kUsed, kSpent, kExpired, kRevoked };
std::string_view token_state_name(TokenState state);  // "usable", "used" (one-time, taken), "spent" (runs), ...
TokenState state_of(const Token& token, WallTime now);

}  // namespace shoal::join
