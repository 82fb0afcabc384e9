// Small files, whole, with a bound.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"

namespace shoal::models {

// kNotFound when there is no such file, kResourceLimit above `limit` bytes, kInternal when it cannot be read.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t limit);

// A name that stays in its folder: not empty, no separator, neither "." nor "..".
bool is_plain_name(std::string_view name);

}  // namespace shoal::models
