#include "server/app/program_version.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "server/core/clock.hpp"

extern char** environ;

namespace shoal::app {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);
constexpr std::size_t kMaxBytes = 200;

// Up to the end of its first line.
std::string read_line(int descriptor, TimePoint deadline) {
  std::string line;
  while (line.size() < kMaxBytes && line.find('\n') == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
    if (left <= 0 || poll(&wanted, 1, static_cast<int>(left)) <= 0) {
      break;
    }
    std::array<char, kMaxBytes> bytes;
    const ssize_t count = read(descriptor, bytes.data(), bytes.size());
    if (count <= 0) {
      break;
    }
    line.append(bytes.data(), static_cast<std::size_t>(count));
  }
  line.resize(std::min({line.size(), line.find('\n'), kMaxBytes}));
  line.erase(line.find_last_not_of(" \r\t") + 1);
  return line;
}

}  // namespace

std::string program_version(const std::string& path) {
  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return {};
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // a script's children go with it
  std::string program = path;
  std::string flag = "--version";
  std::array<char*, 3> arguments = {program.data(), flag.data(), nullptr};
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, path.c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(pipe[1]);
  std::string line;
  if (failed == 0) {
    line = read_line(pipe[0], Clock::now() + kPatience);
    kill(-pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  close(pipe[0]);
  return line.starts_with("Usage") ? std::string() : line;  // of a program without that switch
}

}  // namespace shoal::app
