// One file from the network onto the disk. It grows as NAME.part beside its place, goes on from there after an
// interruption, and takes its name once it is whole and has the checksum. Calling thread; blocks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "engine/core/result.hpp"
#include "server/fetch/transfer.hpp"

namespace shoal::fetch {

struct Download {
  std::string url;
  std::filesystem::path target;
  std::optional<std::uint64_t> bytes{};                    // how many it has; none: the server says
  std::string sha256{};                                    // empty: nobody has said
  std::uint64_t most = 0;                                  // bytes at most
  std::function<void(std::uint64_t bytes)> on_progress{};  // bytes that are there
};

// kUnavailable when it is whole and not what was announced (it is deleted then), kResourceLimit when it is too
// large or the disk has no room, kInternal when the disk fails; else as transfer().
Status download(const Download& wanted, const Access& access);

// Only the first `count` bytes of a file of `bytes` bytes; the rest reads as zeros and takes no room.
Status download_head(const std::string& url, const std::filesystem::path& target, std::uint64_t count,
                     std::uint64_t bytes, const Access& access);

// Of a file, 64 lower-case hexadecimal digits. kInternal when it cannot be read.
Result<std::string> sha256_of(const std::filesystem::path& file);

}  // namespace shoal::fetch
