// Numbers of JSON texts to and from C++ numbers. Pure.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace shoal::wire {

// `digits` as JsonReader::read_number gives them; nothing when they are no number of T or lie outside its range. What
// is too small for T rounds to 0.
template <class T>
  requires std::integral<T> || std::floating_point<T>
std::optional<T> parse_number(std::string_view digits) {
  T value{};
  const char* last = digits.data() + digits.size();
  const auto end = std::from_chars(digits.data(), last, value);
  if (end.ptr == last && end.ec == std::errc{}) {
    return value;
  }
  if constexpr (std::floating_point<T>) {
    if (digits == "NaN") {
      return std::numeric_limits<T>::quiet_NaN();
    }
    if (digits == "Infinity" || digits == "-Infinity") {
      return digits[0] == '-' ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
    }
    if (end.ec == std::errc::result_out_of_range) {
      // from_chars does not say on which side; strtod does.
      const double wide = std::strtod(std::string(digits).c_str(), nullptr);
      if (std::abs(wide) < 1.0) {
        return static_cast<T>(wide);
      }
    }
  }
  return std::nullopt;
}

template <std::integral T>
void append_number(std::string& out, T value) {
  std::array<char, 24> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

// The shortest digits that read back as `value`; NaN, Infinity, -Infinity where JSON has no number (Python reads them).
template <std::floating_point T>
void append_number(std::string& out, T value) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
    return;
  }
  std::array<char, 40> digits;
  const char* last = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  const std::string_view text(digits.data(), static_cast<std::size_t>(last - digits.data()));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) {
    out += ".0";
  }
}

}  // namespace shoal::wire
