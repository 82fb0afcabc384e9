// Small files that only this user may read: what they hold is replaced as a whole, or stays as it was. Blocks for some
// milliseconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"

namespace shoal {

// Nothing when there is no such file; kInvalidArgument when it cannot be read or has more bytes.
Result<std::optional<std::string>> read_private_file(const std::filesystem::path& file, std::uintmax_t max_bytes);
// Mode 0600; the folder is made. kInternal with the system's reason; the old file stays then.
Status write_private_file(const std::filesystem::path& file, std::string_view text);

}  // namespace shoal
