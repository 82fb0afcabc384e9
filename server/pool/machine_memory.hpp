// How much memory this process and its browsers may take: the machine's, or less where a control group (a container)
// says so. Reads files; any thread.
#pragma once

#include <cstdint>
#include <filesystem>

namespace shoal::pool {

// Bytes. `root` is where proc/ and sys/ lie. The least of MemTotal (proc/meminfo) and memory.max of the process's
// control group and those above it (version 2), or memory.limit_in_bytes (version 1); 0 when nothing can be read.
std::uint64_t memory_limit(const std::filesystem::path& root = "/");

// What all browsers together may take when nothing else was configured: the limit less a fifth for everything else; 0 =
// not known, no limit.
std::uint64_t default_total(std::uint64_t limit_bytes);

// What each of `browsers` may take of that: equal parts; 0 = no budget.
std::uint64_t default_budget(std::uint64_t total_bytes, std::size_t browsers);

}  // namespace shoal::pool
