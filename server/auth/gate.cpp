#include "server/auth/gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace shoal::auth {
namespace {

// The key of "Bearer KEY"; any other text is the key itself.
std::string_view secret_of(std::string_view authorization) {
  constexpr std::string_view kBearer = "bearer ";
  const bool is_bearer = authorization.size() > kBearer.size() &&
                         std::ranges::equal(kBearer, authorization.substr(0, kBearer.size()), [](char a, char b) {
                           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
                         });
  if (is_bearer) {
    authorization.remove_prefix(kBearer.size());
  }
  while (authorization.starts_with(' ')) {
    authorization.remove_prefix(1);
  }
  return authorization;
}

}  // namespace

void Gate::close(KeyBook book) {
  book_ = std::move(book);
  std::erase_if(allowances_, [this](const auto& entry) {
    return std::ranges::find(book_->keys(), entry.first, &Key::id) == book_->keys().end();
  });
}

Status Gate::admit(Scope scope, std::string_view authorization, TimePoint now, WallTime wall) {
  if (!is_closed() || scope == Scope::kPublic) {
    return {};
  }
  Status status = decide(scope, authorization, now, wall);
  if (!status && refused_) {
    refused_(status.error().code);
  }
  return status;
}

Status Gate::decide(Scope scope, std::string_view authorization, TimePoint now, WallTime wall) {
  const std::string_view secret = secret_of(authorization);
  if (secret.empty()) {
    return fail(Code::kUnauthenticated, "an API key is required: send the header 'Authorization: Bearer KEY'");
  }
  const auto key = book_->find(secret, wall);
  if (!key) {
    return fail(key.error());
  }
  const KeySpec& spec = (*key)->spec;
  if (std::ranges::count(spec.scopes, scope) == 0) {
    std::string scopes;
    for (const Scope has : spec.scopes) {
      scopes += (scopes.empty() ? "" : ", ") + std::string(scope_name(has));
    }
    return fail(Code::kPermissionDenied, fmt::format("this needs the scope '{}', and the API key '{}' has: {}",
                                                     scope_name(scope), spec.name, scopes));
  }
  return spend(**key, now);
}

Status Gate::spend(const Key& key, TimePoint now) {
  const double rate = key.spec.requests_per_second;
  if (rate <= 0) {
    return {};
  }
  const double most = key.spec.burst > 0 ? key.spec.burst : std::max(1.0, rate);
  const auto [entry, is_new] = allowances_.try_emplace(key.id, Allowance{.left = most, .since = now});
  Allowance& allowance = entry->second;
  allowance.left = std::min(most, allowance.left + rate * std::chrono::duration<double>(now - allowance.since).count());
  allowance.since = now;
  if (allowance.left < 1) {
    return fail(Code::kQuotaExceeded,
                fmt::format("the API key '{}' may send {} requests per second", key.spec.name, rate));
  }
  allowance.left -= 1;
  return {};
}

}  // namespace shoal::auth
