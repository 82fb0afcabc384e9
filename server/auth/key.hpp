// An API key: what whoever shows its secret may do, and until when. Plain data. The secret itself is nowhere: only its
// SHA-256 is kept.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/wall_clock.hpp"

namespace shoal::auth {

// What a route asks for.
enum class Scope : std::uint8_t {
  kPublic,   // nothing: health, and what browsers need before they can say who they are
  kInfer,    // models, their metadata and their statistics
  kAdmin,    // workers, events, what they run
  kMetrics,  // the metrics page
  kJoin,     // tokens of devices that join
};
std::string_view scope_name(Scope scope);                // "infer", ...
std::optional<Scope> scope_from(std::string_view name);  // those that a key may have: not "public"
inline constexpr std::string_view kScopeNames = "infer, admin, metrics, join";

struct KeySpec {
  std::string name;  // for people: who has it
  std::vector<Scope> scopes = {Scope::kInfer};
  std::optional<std::chrono::seconds> lifetime = {};  // without: until it is revoked
  double requests_per_second = 0;                     // in the long run; 0 = no bound
  double burst = 0;  // requests at once after a pause; 0 = as many as in one second, at least one
};

struct Key {
  std::string id;
  KeySpec spec;
  std::string secret_sha256;
  WallTime created;
  std::optional<WallTime> expires;
  std::optional<WallTime> revoked;
};

std::string_view key_state(const Key& key, WallTime now);  // "usable" "expired" "revoked"

}  // namespace shoal::auth
