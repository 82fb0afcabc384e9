// All join tokens and the devices that have used them. Pure: time and randomness are passed in. Who may come in is
// decided here and nowhere else; secrets are compared by their hashes in constant time, with every token, so that an
// answer's time tells nothing. Owned by the pool's device list; main lane.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/join/token.hpp"

namespace shoal::join {

class TokenBook {
 public:
  static constexpr std::size_t kMaxTokens = 256;
  static constexpr std::size_t kMaxKnownDevices = 64;  // of one token; the longest gone make room
  static constexpr std::uint32_t kMaxDevices = 64;     // of one token, connected at once
  static constexpr std::size_t kMaxNameBytes = 100;
  static constexpr std::chrono::hours kLongestLife{24 * 366};

  TokenBook() = default;
  explicit TokenBook(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  // `secret`: at least 128 random bits as text. kInvalidArgument naming the field; kResourceLimit when there are too
  // many, after those that ended longest ago have made room.
  Result<const Token*> create(TokenSpec spec, std::string id, std::string_view secret, WallTime now);
  // Nobody comes in by it any more; those who are in are the caller's to disconnect. kNotFound. Idempotent.
  Result<const Token*> revoke(std::string_view id, WallTime now);

  struct Admission {
    std::string token;  // its id
    std::uint32_t number = 0;
    Tier tier = Tier::kUntrusted;
    std::vector<Backend> backends;
    bool is_new = false;  // `new_key` is this device's from now on
  };
  // A device shows a secret, and the key that it was given when it was in before (or nothing). `new_key` is for one
  // that was not. kInvalidArgument: wrong, expired, revoked, used by another device, or quarantined; kOverloaded:
  // right, but all of its places are taken.
  Result<Admission> admit(std::string_view secret, std::string_view key, std::string_view new_key, WallTime now);
  // The device has gone, or may not come back.
  void left(std::string_view id, std::uint32_t number);
  void quarantine(std::string_view id, std::uint32_t number, std::string reason);
  void count_runs(std::string_view id, std::uint64_t runs);

  // kUsable and kUsed tokens keep their devices; of the others they have to go.
  [[nodiscard]] TokenState state(std::string_view id, WallTime now) const;
  [[nodiscard]] const std::vector<Token>& tokens() const { return tokens_; }

 private:
  Token* find(std::string_view id);
  bool make_room(WallTime now);
  [[nodiscard]] std::uint32_t free_number() const;
  KnownDevice* device_of(Token& token, std::string_view key);

  std::vector<Token> tokens_;  // the oldest first
};

}  // namespace shoal::join
