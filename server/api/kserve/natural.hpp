// Numbers in parameters. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "server/wire/parameters.hpp"

namespace shoal::api::kserve {

// An integer >= 0, whichever way it came: JSON has one kind of integer, gRPC several. Nothing when it is none.
inline std::optional<std::uint64_t> natural(const wire::Parameter& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) {
    return *number;
  }
  const auto* number = std::get_if<std::int64_t>(&value);
  return number != nullptr && *number >= 0 ? std::optional(static_cast<std::uint64_t>(*number)) : std::nullopt;
}

}  // namespace shoal::api::kserve
