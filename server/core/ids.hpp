// Identifiers that the server makes. Thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace shoal {

// UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random; sorts by time. The `request_id` of a request.
std::string uuid_v7();

// `bytes` random bytes of the system's generator as lower-case hex: tokens.
std::string random_hex(std::size_t bytes);

// SHA-256 as 64 lower-case hex digits: names of content-addressed files, the agent build.
std::string sha256_hex(const void* data, std::size_t size);

// Whether two texts are equal, in a time that depends on their lengths only: for hashes of secrets.
bool equal_in_constant_time(std::string_view one, std::string_view other);

}  // namespace shoal
