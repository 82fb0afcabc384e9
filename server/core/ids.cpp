#include "server/core/ids.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

namespace shoal {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::string to_hex(std::span<const unsigned char> bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15U]);
  }
  return text;
}

void fill_random(std::span<unsigned char> bytes) {
  // A machine without randomness cannot make tokens that protect anything: stop.
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    std::abort();
  }
}

// For ids, which only must not meet: OpenSSL is asked for many at once, since a call costs more than the bytes. Tokens
// are made of bytes of their own.
void fill_unique(std::span<unsigned char, 16> bytes) {
  thread_local std::array<unsigned char, 4096> drawn;
  thread_local std::size_t used = drawn.size();
  if (used == drawn.size()) {
    fill_random(drawn);
    used = 0;
  }
  std::memcpy(bytes.data(), drawn.data() + used, bytes.size());
  used += bytes.size();
}

}  // namespace

std::string uuid_v7() {
  std::array<unsigned char, 16> bytes{};
  fill_unique(bytes);
  const auto millis = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
  for (std::size_t index = 0; index < 6; ++index) {
    bytes[index] = static_cast<unsigned char>(millis >> (40 - 8 * index));
  }
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0FU) | 0x70U);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3FU) | 0x80U);
  std::string text(36, '-');
  char* to = text.data();
  for (std::size_t index = 0; index < bytes.size(); ++index) {
    to += index == 4 || index == 6 || index == 8 || index == 10 ? 1 : 0;
    *to++ = kDigits[bytes[index] >> 4];
    *to++ = kDigits[bytes[index] & 15U];
  }
  return text;
}

std::string random_hex(std::size_t bytes) {
  std::string buffer(bytes, '\0');
  const std::span<unsigned char> view(reinterpret_cast<unsigned char*>(buffer.data()), buffer.size());
  fill_random(view);
  return to_hex(view);
}

std::string sha256_hex(const void* data, std::size_t size) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(static_cast<const unsigned char*>(data), size, digest.data());
  return to_hex(digest);
}

bool equal_in_constant_time(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace shoal
