// The processes below one, read from /proc. Whoever is re-parented meanwhile is found under the nearest subreaper, so a
// tree whose root is one (webdriver/supervise.hpp) is seen whole. Thread-safe; a process that ends while it is read is
// left out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace shoal::webdriver {

// All living descendants of `root`, without itself; none of 0, which stands for no process. A zombie is left out: a
// driver reaps its browser only when asked for it.
std::vector<pid_t> descendants(pid_t root);

// Proportional set size of `root` and its descendants. Milliseconds per process: not for a lane.
std::uint64_t tree_pss_bytes(pid_t root);

// The TCP port on 127.0.0.1 that a process listens on; nothing while it has none.
std::optional<std::uint16_t> listening_port(pid_t pid);

// The processes of this user whose environment holds `variable` ("NAME=value") exactly, without this one.
std::vector<pid_t> processes_with_environment(std::string_view variable);

}  // namespace shoal::webdriver
