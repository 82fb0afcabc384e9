#include "server/auth/key_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "server/core/ids.hpp"

namespace shoal::auth {
namespace {

constexpr std::array<std::pair<Scope, std::string_view>, 5> kNames = {{{Scope::kPublic, "public"},
                                                                       {Scope::kInfer, "infer"},
                                                                       {Scope::kAdmin, "admin"},
                                                                       {Scope::kMetrics, "metrics"},
                                                                       {Scope::kJoin, "join"}}};
constexpr double kMostRequestsPerSecond = 1e6;

std::string hash_of(std::string_view text) { return sha256_hex(text.data(), text.size()); }

Status check(const KeySpec& spec) {
  const auto bad = [](std::string field, std::string message) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}", field, message), field);
  };
  if (spec.name.empty() || spec.name.size() > KeyBook::kMaxNameBytes) {
    return bad("name", fmt::format("expected 1 to {} bytes of text", KeyBook::kMaxNameBytes));
  }
  if (spec.scopes.empty() || std::ranges::count(spec.scopes, Scope::kPublic) > 0) {
    return bad("scopes", fmt::format("expected at least one of {}", kScopeNames));
  }
  if (spec.lifetime && (*spec.lifetime < std::chrono::seconds(1) || *spec.lifetime > KeyBook::kLongestLife)) {
    return bad("lifetime", fmt::format("expected 1 s to {} hours", KeyBook::kLongestLife.count()));
  }
  if (!(spec.requests_per_second >= 0 && spec.requests_per_second <= kMostRequestsPerSecond)) {
    return bad("requests_per_second", fmt::format("expected 0 to {}", kMostRequestsPerSecond));
  }
  if (spec.burst != 0 && !(spec.burst >= 1 && spec.burst <= kMostRequestsPerSecond)) {
    return bad("burst", fmt::format("expected 1 to {}, or 0", kMostRequestsPerSecond));
  }
  if (spec.burst != 0 && spec.requests_per_second == 0) {
    return bad("burst", "it needs requests_per_second");
  }
  return {};
}

}  // namespace

std::string_view scope_name(Scope scope) {
  return std::ranges::find(kNames, scope, &std::pair<Scope, std::string_view>::first)->second;
}

std::optional<Scope> scope_from(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, &std::pair<Scope, std::string_view>::second);
  return found == kNames.end() || found->first == Scope::kPublic ? std::nullopt : std::optional(found->first);
}

std::string_view key_state(const Key& key, WallTime now) {
  return key.revoked ? "revoked" : key.expires && now >= *key.expires ? "expired" : "usable";
}

Result<const Key*> KeyBook::create(KeySpec spec, std::string id, std::string_view secret, WallTime now) {
  if (Status status = check(spec); !status) {
    return fail(std::move(status.error()));
  }
  if (keys_.size() >= kMaxKeys) {
    const auto ended = std::ranges::find_if(keys_, [&](const Key& key) { return key_state(key, now) != "usable"; });
    if (ended == keys_.end()) {
      return fail(Code::kResourceLimit, fmt::format("there are {} keys already; revoke some", kMaxKeys));
    }
    keys_.erase(ended);
  }
  Key key{.id = std::move(id),
          .spec = std::move(spec),
          .secret_sha256 = hash_of(secret),
          .created = now,
          .expires = {},
          .revoked = {}};
  if (key.spec.lifetime) {
    key.expires = now + *key.spec.lifetime;
  }
  return &keys_.emplace_back(std::move(key));
}

Result<const Key*> KeyBook::revoke(std::string_view id, WallTime now) {
  const auto found = std::ranges::find(keys_, id, &Key::id);
  if (found == keys_.end()) {
    return fail(Code::kNotFound, fmt::format("no key '{:.100}'", id), "id");
  }
  found->revoked = found->revoked.value_or(now);
  return &*found;
}

Result<const Key*> KeyBook::find(std::string_view secret, WallTime now) const {
  const std::string hash = hash_of(secret);
  const Key* found = nullptr;
  for (const Key& key : keys_) {
    found = equal_in_constant_time(key.secret_sha256, hash) ? &key : found;
  }
  if (found == nullptr) {
    return fail(Code::kUnauthenticated, "the API key is wrong");
  }
  if (const std::string_view state = key_state(*found, now); state != "usable") {
    return fail(Code::kUnauthenticated, fmt::format("the API key '{}' is {}", found->spec.name, state));
  }
  return found;
}

}  // namespace shoal::auth
