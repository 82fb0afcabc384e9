#include "server/config/value.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <span>
#include <utility>

namespace shoal::config {
namespace {

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

// A whole number followed by one of `units`, or nothing.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) {
    return std::nullopt;
  }
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto unit = std::ranges::find(units, suffix, &Unit::suffix);
  if (unit == units.end() || number > std::numeric_limits<std::uint64_t>::max() / unit->factor) {
    return std::nullopt;
  }
  return number * unit->factor;
}

Status expected(std::string_view what, std::string_view text) {
  return fail(Code::kInvalidArgument, fmt::format("expected {}, got '{}'", what, text));
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr std::array<Unit, 4> kUnits = {{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
  const auto value = parse_with_unit(text, kUnits);
  if (!value || *value > 1'000'000'000'000) {
    return fail(Code::kInvalidArgument, fmt::format("expected a duration such as 250ms, 30s or 5m, got '{}'", text));
  }
  return std::chrono::milliseconds(*value);
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  constexpr std::array<Unit, 4> kUnits = {{{"", 1}, {"KiB", 1U << 10}, {"MiB", 1U << 20}, {"GiB", 1U << 30}}};
  const auto value = parse_with_unit(text, kUnits);
  if (!value) {
    return fail(Code::kInvalidArgument, fmt::format("expected a size such as 65536, 64MiB or 2GiB, got '{}'", text));
  }
  return *value;
}

Apply into_text(std::string& target) {
  return [&target](std::string_view text) -> Status {
    target = text;
    return {};
  };
}

Apply into_bool(bool& target) {
  return [&target](std::string_view text) -> Status {
    if (text != "true" && text != "false") {
      return expected("true or false", text);
    }
    target = text == "true";
    return {};
  };
}

Apply into_integer(std::uint64_t& target, std::uint64_t least, std::uint64_t most) {
  return [&target, least, most](std::string_view text) -> Status {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
      return expected(fmt::format("a whole number from {} to {}", least, most), text);
    }
    target = value;
    return {};
  };
}

Apply into_port(std::uint16_t& target) {
  return [&target](std::string_view text) -> Status {
    std::uint64_t value = 0;
    const Status status = into_integer(value, 0, 65535)(text);
    target = static_cast<std::uint16_t>(value);
    return status;
  };
}

Apply into_duration(std::chrono::milliseconds& target, std::chrono::milliseconds least,
                    std::chrono::milliseconds most) {
  return [&target, least, most](std::string_view text) -> Status {
    const auto value = parse_duration(text);
    if (!value) {
      return fail(value.error());
    }
    if (*value < least || *value > most) {
      return expected(fmt::format("a duration from {}ms to {}ms", least.count(), most.count()), text);
    }
    target = *value;
    return {};
  };
}

Apply into_bytes(std::uint64_t& target, std::uint64_t least, std::uint64_t most) {
  return [&target, least, most](std::string_view text) -> Status {
    const auto value = parse_bytes(text);
    if (!value) {
      return fail(value.error());
    }
    if (*value < least || *value > most) {
      return expected(fmt::format("a size from {} to {} bytes", least, most), text);
    }
    target = *value;
    return {};
  };
}

Apply into_choice(std::string& target, std::vector<std::string> choices) {
  return [&target, choices = std::move(choices)](std::string_view text) -> Status {
    if (std::ranges::find(choices, text) == choices.end()) {
      return expected(fmt::format("one of {}", fmt::join(choices, ", ")), text);
    }
    target = text;
    return {};
  };
}

}  // namespace shoal::config
