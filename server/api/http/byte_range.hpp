// The Range header, for one range of bytes (RFC 9110 section 14). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace shoal::api::http {

struct ByteRange {
  enum class Kind : std::uint8_t { kWhole, kPart, kUnsatisfiable };
  Kind kind = Kind::kWhole;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// What of `size` bytes `header` asks for. Other units, several ranges and what cannot be read mean the whole.
ByteRange parse_range(std::string_view header, std::uint64_t size);

}  // namespace shoal::api::http
