#include "server/webdriver/process_tree.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>

namespace shoal::webdriver {

namespace {

// What can be read: a process may end between open and read, which is an error (ESRCH) that a stream iterator would
// throw.
std::string read_file(const std::string& path) {
  std::string text;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return text;
  }
  std::array<char, 4096> block{};
  for (ssize_t count = 0; (count = read(file, block.data(), block.size())) > 0;) {
    text.append(block.data(), static_cast<std::size_t>(count));
  }
  close(file);
  return text;
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    pid_t pid = 0;
    const auto [rest, failure] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (failure == std::errc() && rest == name.data() + name.size()) {
      pids.push_back(pid);
    }
  }
  return pids;
}

// Inodes of a process's open sockets: its descriptors are links to "socket:[12345]".
std::set<std::string> sockets_of(pid_t pid) {
  constexpr std::string_view kSocket = "socket:[";
  std::set<std::string> inodes;
  std::error_code error;
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry->path(), gone);
    if (!gone && target.starts_with(kSocket)) {
      inodes.insert(target.substr(kSocket.size(), target.size() - kSocket.size() - 1));
    }
  }
  return inodes;
}

// From /proc/<pid>/stat: "pid (name) state parent ..."; the name may hold spaces and parentheses. Nothing for a zombie.
std::optional<pid_t> parent_of(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos || name_end + 4 >= stat.size() || stat[name_end + 2] == 'Z') {
    return std::nullopt;
  }
  pid_t parent = 0;
  const char* begin = stat.data() + name_end + 4;
  return std::from_chars(begin, stat.data() + stat.size(), parent).ec == std::errc() ? std::optional(parent)
                                                                                     : std::nullopt;
}

std::uint64_t pss_bytes(pid_t pid) {
  const std::string rollup = read_file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  const std::size_t line = rollup.find("\nPss:");
  return line == std::string::npos ? 0 : std::strtoull(rollup.c_str() + line + 5, nullptr, 10) * 1024;
}

}  // namespace

std::vector<pid_t> descendants(pid_t root) {
  if (root <= 0) {
    return {};  // 0 is the parent of init: everything would be below it
  }
  std::multimap<pid_t, pid_t> children;
  for (const pid_t pid : all_processes()) {
    if (const std::optional<pid_t> parent = parent_of(pid)) {
      children.emplace(*parent, pid);
    }
  }
  std::vector<pid_t> found;
  std::vector<pid_t> frontier = {root};
  while (!frontier.empty()) {
    const pid_t parent = frontier.back();
    frontier.pop_back();
    const auto [begin, end] = children.equal_range(parent);
    for (auto child = begin; child != end; ++child) {
      found.push_back(child->second);
      frontier.push_back(child->second);
    }
  }
  return found;
}

std::uint64_t tree_pss_bytes(pid_t root) {
  std::uint64_t bytes = pss_bytes(root);
  for (const pid_t pid : descendants(root)) {
    bytes += pss_bytes(pid);
  }
  return bytes;
}

// A line of /proc/net/tcp: "0: 0100007F:9C40 00000000:0000 0A ... inode ...", the address in hexadecimal, 0A =
// listening.
std::optional<std::uint16_t> listening_port(pid_t pid) {
  constexpr std::string_view kLoopback = "0100007F:";
  const std::set<std::string> sockets = sockets_of(pid);
  std::istringstream table(read_file("/proc/" + std::to_string(pid) + "/net/tcp"));
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string number, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    fields >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> inode;
    if (state == "0A" && local.starts_with(kLoopback) && sockets.contains(inode)) {
      return static_cast<std::uint16_t>(std::strtoul(local.c_str() + kLoopback.size(), nullptr, 16));
    }
  }
  return std::nullopt;
}

std::vector<pid_t> processes_with_environment(std::string_view variable) {
  std::vector<pid_t> found;
  const std::string needle = '\0' + std::string(variable) + '\0';
  for (const pid_t pid : all_processes()) {
    if (pid == getpid()) {
      continue;
    }
    const std::string environment = '\0' + read_file("/proc/" + std::to_string(pid) + "/environ");
    if (environment.find(needle) != std::string::npos) {
      found.push_back(pid);
    }
  }
  return found;
}

}  // namespace shoal::webdriver
