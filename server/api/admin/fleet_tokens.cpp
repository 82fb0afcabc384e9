// The fleet's join tokens: requests to what the pool's device list takes, tokens to messages.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/api/admin/fleet.hpp"
#include "server/api/admin/messages.hpp"

namespace shoal::api::admin {
namespace {

constexpr std::uint32_t kDevicesOfLongLived = 8;
constexpr std::chrono::hours kLifeOfLongLived{24 * 30};

v1::JoinToken token_message(const join::Token& token) {
  v1::JoinToken message;
  message.set_id(token.id);
  message.set_name(token.spec.name);
  message.set_state(std::string(join::token_state_name(join::state_of(token, wall_now()))));
  message.set_long_lived(!token.spec.is_one_time);
  message.set_tier(std::string(tier_name(token.spec.tier)));
  for (const Backend backend : token.spec.backends) {
    message.add_backends(std::string(backend_name(backend)));
  }
  message.set_created(rfc3339(token.created.time_since_epoch().count()));
  message.set_expires(rfc3339(token.expires.time_since_epoch().count()));
  message.set_max_devices(token.spec.max_devices);
  for (const join::KnownDevice& device : token.devices) {
    const std::string slot = fmt::format("{}/{}", pool::kDeviceKind, device.number);
    if (!device.quarantine.empty()) {
      message.add_quarantined(slot);
    } else if (device.is_connected) {
      message.add_devices(slot);
    }
  }
  message.set_max_runs(token.spec.max_runs);
  message.set_runs(token.runs);
  return message;
}

Result<join::TokenSpec> spec_of(const v1::CreateJoinTokenRequest& request) {
  join::TokenSpec spec{.name = request.name(), .is_one_time = !request.long_lived(), .max_runs = request.max_runs()};
  if (!request.tier().empty()) {
    const auto tier = tier_from(request.tier());
    if (!tier) {
      return fail(Code::kInvalidArgument,
                  fmt::format("tier: expected trusted or untrusted, got '{:.50}'", request.tier()), "tier");
    }
    spec.tier = *tier;
  }
  if (request.backends_size() > 0) {
    spec.backends.clear();
  }
  for (const std::string& name : request.backends()) {
    const auto backend = backend_from(name);
    if (!backend || std::ranges::count(spec.backends, *backend) > 0) {
      return fail(Code::kInvalidArgument,
                  fmt::format("backends: expected wasm, webgpu, webnn, each once; got '{:.50}'", name), "backends");
    }
    spec.backends.push_back(*backend);
  }
  const std::uint64_t longest = static_cast<std::uint64_t>(std::chrono::seconds(join::TokenBook::kLongestLife).count());
  if (request.expires_seconds() > 0) {
    // One too many is refused by the book; more could not be told from a small number.
    spec.lifetime = std::chrono::seconds(std::min(request.expires_seconds(), longest + 1));
  } else if (request.long_lived()) {
    spec.lifetime = kLifeOfLongLived;
  }
  spec.max_devices = request.max_devices() > 0 ? request.max_devices() : request.long_lived() ? kDevicesOfLongLived : 1;
  return spec;
}

}  // namespace

Result<v1::CreateJoinTokenResponse> Fleet::create_token(const v1::CreateJoinTokenRequest& request) {
  auto spec = spec_of(request);
  if (!spec) {
    return fail(std::move(spec.error()));
  }
  pool::Pool* pool = pool_();
  if (pool == nullptr) {
    return fail(Code::kUnavailable, "the server is starting");
  }
  const auto created = pool->devices().create_token(*std::move(spec));
  if (!created) {
    return fail(created.error());
  }
  v1::CreateJoinTokenResponse response;
  *response.mutable_token() = token_message(*created->token);
  response.set_secret(created->secret);
  response.set_url(created->url);
  return response;
}

v1::ListJoinTokensResponse Fleet::tokens(const v1::ListJoinTokensRequest& /*request*/) {
  v1::ListJoinTokensResponse response;
  if (pool::Pool* pool = pool_()) {
    for (const join::Token& token : pool->devices().tokens()) {
      *response.add_tokens() = token_message(token);
    }
  }
  return response;
}

Result<v1::JoinToken> Fleet::revoke_token(const v1::RevokeJoinTokenRequest& request) {
  pool::Pool* pool = pool_();
  if (pool == nullptr) {
    return fail(Code::kUnavailable, "the server is starting");
  }
  const auto revoked = pool->devices().revoke_token(request.id());
  return revoked ? Result<v1::JoinToken>(token_message(**revoked)) : fail(revoked.error());
}

}  // namespace shoal::api::admin
