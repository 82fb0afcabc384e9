#include "server/api/http/byte_range.hpp"

#include <algorithm>
#include <charconv>

namespace shoal::api::http {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  return end.ec == std::errc{} && end.ptr == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

}  // namespace

ByteRange parse_range(std::string_view header, std::uint64_t size) {
  const ByteRange whole{ByteRange::Kind::kWhole, 0, size};
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) {
    return whole;
  }
  header.remove_prefix(kUnit.size());
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos || header.contains(',')) {
    return whole;
  }
  const std::string_view first_text = header.substr(0, dash);
  const std::string_view last_text = header.substr(dash + 1);
  const auto first = number(first_text);
  const auto last = number(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last)) {
    return whole;
  }
  if (!first) {
    const std::uint64_t count = std::min(*last, size);
    return count == 0 ? ByteRange{ByteRange::Kind::kUnsatisfiable, 0, 0}
                      : ByteRange{ByteRange::Kind::kPart, size - count, count};
  }
  if (last && *last < *first) {
    return whole;
  }
  if (*first >= size) {
    return {ByteRange::Kind::kUnsatisfiable, 0, 0};
  }
  return {ByteRange::Kind::kPart, *first, std::min(last.value_or(size - 1), size - 1) - *first + 1};
}

}  // namespace shoal::api::http
