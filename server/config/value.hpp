// Texts to typed values, for Setting::apply. Each returns a function that stores into `target`, which must outlive it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::config {

using Apply = std::function<Status(std::string_view)>;

Apply into_text(std::string& target);
Apply into_bool(bool& target);  // true, false
Apply into_integer(std::uint64_t& target, std::uint64_t least, std::uint64_t most);
Apply into_port(std::uint16_t& target);  // 0 = any free port
Apply into_duration(std::chrono::milliseconds& target, std::chrono::milliseconds least, std::chrono::milliseconds most);
Apply into_bytes(std::uint64_t& target, std::uint64_t least, std::uint64_t most);  // "64MiB", "1048576"
Apply into_choice(std::string& target, std::vector<std::string> choices);

// "250ms", "30s", "5m"; a number without a unit is refused.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// "1048576", "64KiB", "64MiB", "2GiB".
Result<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace shoal::config
