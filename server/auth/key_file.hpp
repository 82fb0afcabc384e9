// The book on disk: $SHOAL_HOME/keys.json, mode 0600. It holds hashes, no secrets. `shoal keys` writes it; a running
// server reads it again when it has changed.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/auth/key_book.hpp"

namespace shoal::auth {

// Pure.
std::string to_json(const KeyBook& book);
// kInvalidArgument naming what is wrong.
Result<KeyBook> from_json(std::string_view text);

// An empty book when there is no such file; kInvalidArgument when it cannot be read or is not one.
Result<KeyBook> load(const std::filesystem::path& file);
// kInternal with the system's reason; the old file stays then.
Status save(const KeyBook& book, const std::filesystem::path& file);

}  // namespace shoal::auth
