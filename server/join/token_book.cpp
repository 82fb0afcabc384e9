#include "server/join/token_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "server/core/ids.hpp"

namespace shoal::join {
namespace {

std::string hash_of(std::string_view text) { return sha256_hex(text.data(), text.size()); }

Status check(const TokenSpec& spec) {
  const auto bad = [](std::string field, std::string message) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}", field, message), field);
  };
  if (spec.name.empty() || spec.name.size() > TokenBook::kMaxNameBytes) {
    return bad("name", fmt::format("expected 1 to {} bytes of text", TokenBook::kMaxNameBytes));
  }
  if (spec.backends.empty()) {
    return bad("backends", "expected at least one of wasm, webgpu, webnn");
  }
  if (spec.lifetime < std::chrono::seconds(1) || spec.lifetime > TokenBook::kLongestLife) {
    return bad("expires_seconds",
               fmt::format("expected 1 to {}", std::chrono::seconds(TokenBook::kLongestLife).count()));
  }
  if (spec.max_devices < 1 || spec.max_devices > TokenBook::kMaxDevices) {
    return bad("max_devices", fmt::format("expected 1 to {}", TokenBook::kMaxDevices));
  }
  if (spec.is_one_time && spec.max_devices != 1) {
    return bad("max_devices", "a one-time token is for one device; long_lived is for more");
  }
  return {};
}

std::unexpected<Error> refused(std::string why) { return fail(Code::kInvalidArgument, std::move(why), "token"); }

}  // namespace

std::string_view token_state_name(TokenState state) {
  switch (state) {
    case TokenState::kUsable:
      return "usable";
    case TokenState::kUsed:
      return "used";
    case TokenState::kSpent:
      return "spent";
    case TokenState::kExpired:
      return "expired";
    case TokenState::kRevoked:
      break;
  }
  return "revoked";
}

TokenState state_of(const Token& token, WallTime now) {
  if (token.revoked) {
    return TokenState::kRevoked;
  }
  if (now >= token.expires) {
    return TokenState::kExpired;
  }
  if (token.spec.max_runs > 0 && token.runs >= token.spec.max_runs) {
    return TokenState::kSpent;
  }
  return token.spec.is_one_time && !token.devices.empty() ? TokenState::kUsed : TokenState::kUsable;
}

Token* TokenBook::find(std::string_view id) {
  const auto found = std::ranges::find(tokens_, id, &Token::id);
  return found == tokens_.end() ? nullptr : &*found;
}

bool TokenBook::make_room(WallTime now) {
  const auto ended = std::ranges::find_if(tokens_, [&](const Token& token) {
    const TokenState state = state_of(token, now);
    return state != TokenState::kUsable && state != TokenState::kUsed &&
           std::ranges::none_of(token.devices, &KnownDevice::is_connected);
  });
  if (ended == tokens_.end()) {
    return false;
  }
  tokens_.erase(ended);
  return true;
}

Result<const Token*> TokenBook::create(TokenSpec spec, std::string id, std::string_view secret, WallTime now) {
  if (Status status = check(spec); !status) {
    return fail(std::move(status.error()));
  }
  if (tokens_.size() >= kMaxTokens && !make_room(now)) {
    return fail(Code::kResourceLimit, fmt::format("there are {} join tokens already; revoke some", kMaxTokens));
  }
  Token token{.id = std::move(id),
              .spec = std::move(spec),
              .secret_sha256 = hash_of(secret),
              .created = now,
              .expires = {},
              .revoked = {},
              .devices = {}};
  token.expires = now + token.spec.lifetime;
  return &tokens_.emplace_back(std::move(token));
}

Result<const Token*> TokenBook::revoke(std::string_view id, WallTime now) {
  Token* token = find(id);
  if (token == nullptr) {
    return fail(Code::kNotFound, fmt::format("no join token '{:.100}'", id), "id");
  }
  token->revoked = token->revoked.value_or(now);
  return token;
}

std::uint32_t TokenBook::free_number() const {
  std::set<std::uint32_t> taken;
  for (const Token& token : tokens_) {
    for (const KnownDevice& device : token.devices) {
      taken.insert(device.number);
    }
  }
  std::uint32_t number = 0;
  while (taken.contains(number)) {
    ++number;
  }
  return number;
}

KnownDevice* TokenBook::device_of(Token& token, std::string_view key) {
  const std::string hash = hash_of(key);
  KnownDevice* found = nullptr;
  for (KnownDevice& device : token.devices) {
    found = equal_in_constant_time(device.key_sha256, hash) ? &device : found;
  }
  return key.empty() ? nullptr : found;
}

Result<TokenBook::Admission> TokenBook::admit(std::string_view secret, std::string_view key, std::string_view new_key,
                                              WallTime now) {
  const std::string hash = hash_of(secret);
  Token* token = nullptr;
  for (Token& candidate : tokens_) {
    token = equal_in_constant_time(candidate.secret_sha256, hash) ? &candidate : token;
  }
  if (token == nullptr) {
    return refused("the token is wrong");
  }
  const TokenState state = state_of(*token, now);
  if (state != TokenState::kUsable && state != TokenState::kUsed) {
    return refused(fmt::format("the token is {}", token_state_name(state)));
  }
  KnownDevice* device = device_of(*token, key);
  if (device == nullptr && state == TokenState::kUsed) {
    return refused("the token was for one device, which has used it");
  }
  if (device != nullptr && !device->quarantine.empty()) {
    return refused("this device is in quarantine: " + device->quarantine);
  }
  if (device != nullptr && device->is_connected) {
    return fail(Code::kOverloaded, "this device is connected already", "device");
  }
  const auto connected = std::ranges::count_if(token->devices, &KnownDevice::is_connected);
  if (static_cast<std::uint32_t>(connected) >= token->spec.max_devices) {
    return fail(Code::kOverloaded, fmt::format("the token's {} devices are connected", connected), "token");
  }
  Admission admission{.token = token->id, .tier = token->spec.tier, .backends = token->spec.backends};
  if (device == nullptr) {
    admission.is_new = true;
    if (token->devices.size() >= kMaxKnownDevices) {
      // One of them is not connected: kMaxDevices is no more than kMaxKnownDevices.
      token->devices.erase(std::ranges::find_if_not(token->devices, &KnownDevice::is_connected));
    }
    token->devices.push_back({.key_sha256 = hash_of(new_key), .number = free_number(), .quarantine = {}});
  } else {
    std::rotate(token->devices.begin() + (device - token->devices.data()),
                token->devices.begin() + (device - token->devices.data()) + 1, token->devices.end());
  }
  token->devices.back().is_connected = true;
  admission.number = token->devices.back().number;
  return admission;
}

void TokenBook::left(std::string_view id, std::uint32_t number) {
  if (Token* token = find(id); token != nullptr) {
    for (KnownDevice& device : token->devices) {
      device.is_connected = device.is_connected && device.number != number;
    }
  }
}

void TokenBook::quarantine(std::string_view id, std::uint32_t number, std::string reason) {
  if (Token* token = find(id); token != nullptr) {
    for (KnownDevice& device : token->devices) {
      if (device.number == number) {
        device.quarantine = std::move(reason);
        return;
      }
    }
  }
}

void TokenBook::count_runs(std::string_view id, std::uint64_t runs) {
  if (Token* token = find(id); token != nullptr) {
    token->runs += runs;
  }
}

TokenState TokenBook::state(std::string_view id, WallTime now) const {
  const auto found = std::ranges::find(tokens_, id, &Token::id);
  return found == tokens_.end() ? TokenState::kRevoked : state_of(*found, now);
}

}  // namespace shoal::join
