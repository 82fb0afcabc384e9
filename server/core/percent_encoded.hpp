// Text as a part of a URL. Pure.
#pragma once

#include <fmt/format.h>

#include <cctype>
#include <string>
#include <string_view>

namespace shoal {

// Everything but letters, digits, '-', '_' and '.' as %XX, byte by byte: fits a path's segment and a query's value
// (RFC 3986, 2.1).
inline std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    encoded +=
        std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return encoded;
}

}  // namespace shoal
