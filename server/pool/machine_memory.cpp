#include "server/pool/machine_memory.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "server/core/split.hpp"

namespace shoal::pool {

namespace {

namespace fs = std::filesystem;

// The number that the text begins with; nothing for "max".
std::optional<std::uint64_t> leading_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? leading_number(line) : std::nullopt;
}

std::optional<std::uint64_t> total_memory(const fs::path& root) {
  std::ifstream file(root / "proc/meminfo");
  constexpr std::string_view kKey = "MemTotal:";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kKey)) {
      const std::size_t digits = line.find_first_of("0123456789");
      const auto kib =
          digits == std::string::npos ? std::nullopt : leading_number(std::string_view(line).substr(digits));
      return kib ? std::optional(*kib * 1024) : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

std::uint64_t memory_limit(const fs::path& root) {
  std::optional<std::uint64_t> least = total_memory(root);
  const auto also = [&least](std::optional<std::uint64_t> bytes) {
    if (bytes) {
      least = least ? std::min(*least, *bytes) : *bytes;
    }
  };
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    // hierarchy-ID:controllers:path; the unified hierarchy is "0::path".
    const auto parts = split(line, ':');
    if (parts.size() < 3) {
      continue;
    }
    const bool is_unified = parts[1].empty();
    const auto controllers = split(parts[1], ',');
    if (!is_unified && std::ranges::find(controllers, std::string_view("memory")) == controllers.end()) {
      continue;
    }
    const fs::path mount = root / (is_unified ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
    const char* name = is_unified ? "memory.max" : "memory.limit_in_bytes";
    // In a container the path may be that of the host: then only the mount's own root is there.
    fs::path group = mount / fs::path(std::string(parts[2])).relative_path();
    for (;; group = group.parent_path()) {
      also(number_in(group / name));
      if (group == mount || !group.has_relative_path() || group == group.parent_path()) {
        break;
      }
    }
    also(number_in(mount / name));
  }
  return least.value_or(0);
}

std::uint64_t default_total(std::uint64_t limit_bytes) { return limit_bytes / 5 * 4; }

std::uint64_t default_budget(std::uint64_t total_bytes, std::size_t browsers) {
  return browsers == 0 ? 0 : total_bytes / browsers;
}

}  // namespace shoal::pool
