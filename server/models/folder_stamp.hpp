// Whether the files of a folder are those of before.
#pragma once

#include <cstdint>
#include <filesystem>

namespace shoal::models {

// Of names, sizes and times of its files and those of its sub-folders, two levels down and kMaxStamped of them at most.
// What cannot be looked at counts as absent. Comparable within one process.
inline constexpr std::size_t kMaxStamped = 10'000;
std::uint64_t stamp_of(const std::filesystem::path& folder);

}  // namespace shoal::models
