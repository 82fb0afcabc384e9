// All API keys. Pure: time and randomness are passed in. Secrets are compared by their hashes in constant time, with
// every key, so that an answer's time tells nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/result.hpp"
#include "server/auth/key.hpp"

namespace shoal::auth {

class KeyBook {
 public:
  static constexpr std::size_t kMaxKeys = 1024;
  static constexpr std::size_t kMaxNameBytes = 100;
  static constexpr std::chrono::hours kLongestLife{24 * 366 * 10};

  KeyBook() = default;
  explicit KeyBook(std::vector<Key> keys) : keys_(std::move(keys)) {}

  // `secret`: at least 128 random bits as text. kInvalidArgument naming the field; kResourceLimit when there are too
  // many.
  Result<const Key*> create(KeySpec spec, std::string id, std::string_view secret, WallTime now);
  // Nobody may use it any more. kNotFound. Idempotent.
  Result<const Key*> revoke(std::string_view id, WallTime now);
  // Whose secret that is; kUnauthenticated when nobody's, or when the key has ended.
  [[nodiscard]] Result<const Key*> find(std::string_view secret, WallTime now) const;

  [[nodiscard]] const std::vector<Key>& keys() const { return keys_; }

 private:
  std::vector<Key> keys_;  // the oldest first
};

}  // namespace shoal::auth
