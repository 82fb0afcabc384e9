#include "server/webdriver/display.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace shoal::webdriver {

namespace {

constexpr auto kStartBound = std::chrono::seconds(10);

std::unexpected<Error> failed(const std::string& what) {
  return fail(Code::kUnavailable, what + ": " + std::strerror(errno));
}

// A counted text of the file's format: two bytes of length, the higher first.
void append_counted(std::string& file, std::string_view text) {
  file += static_cast<char>(text.size() >> 8);
  file += static_cast<char>(text.size() & 0xff);
  file += text;
}

// One entry of Xauthority(5): family (65535: any address), address, display number (empty: any), scheme, cookie.
Status write_cookie(const std::string& path) {
  std::array<char, 16> cookie{};
  if (getrandom(cookie.data(), cookie.size(), 0) != static_cast<ssize_t>(cookie.size())) {
    return failed("getrandom");
  }
  std::string entry = "\xff\xff";
  append_counted(entry, "");
  append_counted(entry, "");
  append_counted(entry, "MIT-MAGIC-COOKIE-1");
  append_counted(entry, {cookie.data(), cookie.size()});
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) {
    return failed("cannot write " + path);
  }
  const bool is_written = write(file, entry.data(), entry.size()) == static_cast<ssize_t>(entry.size());
  close(file);
  return is_written ? Status() : failed("cannot write " + path);
}

[[noreturn]] void run_server(const std::string& program, const std::string& cookie, int ready) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int nothing = open("/dev/null", O_RDWR);
  dup2(nothing, STDIN_FILENO);
  dup2(nothing, STDOUT_FILENO);
  const std::string number = std::to_string(ready);
  fcntl(ready, F_SETFD, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // Small, since nobody looks. Without GLX, which nothing here can use, it takes 10 MiB and not 58.
  execl(program.c_str(), program.c_str(), "-displayfd", number.c_str(), "-screen", "0", "800x600x24", "-nolisten",
        "tcp", "-extension", "GLX", "-noreset", "-auth", cookie.c_str(), nullptr);
  _exit(127);
}

// The number that the server chose; empty when it ended, or took too long.
std::string read_number(int ready) {
  const auto deadline = std::chrono::steady_clock::now() + kStartBound;
  std::string text;
  while (!text.ends_with('\n')) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd watched{.fd = ready, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || (poll(&watched, 1, static_cast<int>(left.count())) < 0 && errno != EINTR)) {
      return {};
    }
    std::array<char, 16> chunk{};
    const ssize_t count = watched.revents == 0 ? 0 : read(ready, chunk.data(), chunk.size());
    if (watched.revents != 0 && count <= 0) {
      return {};
    }
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
  text.pop_back();
  const bool is_number = !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); });
  return is_number ? text : std::string();
}

}  // namespace

Result<Display> start_display(const std::string& program, const std::string& folder) {
  const std::string cookie = folder + "/.Xauthority";
  if (Status written = write_cookie(cookie); !written) {
    return fail(std::move(written.error()));
  }
  std::array<int, 2> ready{};
  if (pipe2(ready.data(), O_CLOEXEC) != 0) {
    return failed("pipe");
  }
  const pid_t server = fork();
  if (server == 0) {
    run_server(program, cookie, ready[1]);
  }
  close(ready[1]);
  const std::string number = server < 0 ? std::string() : read_number(ready[0]);
  close(ready[0]);
  if (number.empty()) {
    if (server > 0) {
      kill(server, SIGKILL);
      waitpid(server, nullptr, 0);
    }
    return fail(Code::kUnavailable, program + " did not start a display");
  }
  Display display{.server = server, .name = ":" + number};
  setenv("DISPLAY", display.name.c_str(), 1);
  setenv("XAUTHORITY", cookie.c_str(), 1);
  return display;
}

void unlink_display(const Display& display) { unlink(("/tmp/.X11-unix/X" + display.name.substr(1)).c_str()); }

}  // namespace shoal::webdriver
