// The book on disk: $SHOAL_HOME/join/tokens.json, mode 0600, replaced as a whole. It holds hashes, no secrets. Blocks
// for some milliseconds: it is written when an operator changes a token and when a device is let in for the first time.
#pragma once

#include <filesystem>
#include <string>

#include "engine/core/result.hpp"
#include "server/join/token_book.hpp"

namespace shoal::join {

// Pure.
std::string to_json(const TokenBook& book);
// kInvalidArgument naming what is wrong. Nobody is connected.
Result<TokenBook> from_json(std::string_view text);

// An empty book when there is no such file; kInvalidArgument when it cannot be read or is not one.
Result<TokenBook> load(const std::filesystem::path& file);
// Makes the folder. kInternal with the system's reason; the old file stays then.
Status save(const TokenBook& book, const std::filesystem::path& file);

}  // namespace shoal::join
