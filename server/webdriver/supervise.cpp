#include "server/webdriver/supervise.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/cpu_list.hpp"
#include "server/webdriver/display.hpp"
#include "server/webdriver/process_tree.hpp"

namespace shoal::webdriver {

namespace {

constexpr int kUsage = 64;
constexpr int kCannotRun = 127;
constexpr auto kKillBound = std::chrono::seconds(5);

// Collects whoever has ended; the exit status of `program` or `display`, neither of which is of use alone, when it is
// among them.
std::optional<int> reap(pid_t program, pid_t display) {
  std::optional<int> status;
  int raw = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &raw, WNOHANG)) > 0;) {
    if (pid == program || pid == display) {
      status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    }
  }
  return status;
}

// Repeats until nothing is left: a process may fork while the list is read, or be missing in it because its parent
// ended meanwhile. Whoever has lost its parent is ours, so without children there is nobody.
void kill_tree() {
  const auto deadline = std::chrono::steady_clock::now() + kKillBound;
  for (;;) {
    for (const pid_t pid : descendants(getpid())) {
      kill(pid, SIGKILL);
    }
    pid_t ended = 0;
    while ((ended = waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (ended < 0 || std::chrono::steady_clock::now() >= deadline) {
      return;
    }
    poll(nullptr, 0, 2);
  }
}

[[noreturn]] void run_program(char** argv, const sigset_t& mask, pid_t supervisor) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor) {
    _exit(kCannotRun);
  }
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  close(nothing);
  execvp(argv[0], argv);
  std::fprintf(stderr, "supervise: cannot run %s: %s\n", argv[0], std::strerror(errno));
  _exit(kCannotRun);
}

enum class Ending { kProgram, kSignal, kServer, kServerGone };

// Waits for the first reason to end.
Ending wait_for_ending(int signals, pid_t program, pid_t display, int& status) {
  bool told = false;
  for (;;) {
    pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(watched, 2, -1) < 0 && errno != EINTR) {
      return Ending::kSignal;
    }
    signalfd_siginfo info{};
    while (read(signals, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
      if (info.ssi_signo != SIGCHLD) {
        return Ending::kSignal;
      }
    }
    if (const std::optional<int> ended = reap(program, display)) {
      status = *ended;
      return Ending::kProgram;
    }
    if (watched[0].revents != 0) {
      char byte = 0;
      const ssize_t count = read(STDIN_FILENO, &byte, 1);
      if (count <= 0 && !(count < 0 && errno == EINTR)) {
        return told ? Ending::kServer : Ending::kServerGone;
      }
      told = true;
    }
  }
}

}  // namespace

int supervise_main(int argc, char** argv) {
  std::vector<std::string> removals;
  std::string display_server;
  int next = 0;
  for (; next + 1 < argc && std::string_view(argv[next]) != "--"; next += 2) {
    const std::string_view option = argv[next];
    if (option == "--remove") {
      removals.emplace_back(argv[next + 1]);
    } else if (option == "--display") {
      display_server = argv[next + 1];
    } else if (option == "--cpus") {
      const Result<CpuList> cpus = parse_cpu_list(argv[next + 1]);
      if (const Status pinned = cpus ? pin_to(*cpus) : Status(fail(cpus.error())); !pinned) {
        std::fprintf(stderr, "supervise: %s\n", pinned.error().message.c_str());
        return kCannotRun;
      }
    } else {
      break;
    }
  }
  if (next + 1 >= argc || std::string_view(argv[next]) != "--") {
    std::fprintf(stderr,
                 "usage: shoal supervise [--remove DIR]... [--display XVFB] [--cpus LIST] -- PROGRAM ARGUMENTS...\n");
    return kUsage;
  }
  sigset_t watched;
  sigset_t before;
  sigemptyset(&watched);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&watched, number);
  }
  sigprocmask(SIG_BLOCK, &watched, &before);
  signal(SIGPIPE, SIG_IGN);
  const int signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    std::perror("supervise");
    return kCannotRun;
  }
  Display display;
  if (!display_server.empty()) {
    const char* folder = std::getenv("TMPDIR");
    Result<Display> started = start_display(display_server, folder == nullptr ? "/tmp" : folder);
    if (!started) {
      std::fprintf(stderr, "supervise: %s\n", started.error().message.c_str());
      return kCannotRun;
    }
    display = *std::move(started);
    std::printf("%.*s%d\n", static_cast<int>(kDisplayLine.size()), kDisplayLine.data(), display.server);
    std::fflush(stdout);
  }
  const pid_t self = getpid();
  const pid_t program = fork();
  if (program == 0) {
    signal(SIGPIPE, SIG_DFL);
    // Said by the program's own process, so that it comes before why it cannot run.
    std::printf("%.*s%d\n", static_cast<int>(kProgramLine.size()), kProgramLine.data(), getpid());
    std::fflush(stdout);
    run_program(argv + next + 1, before, self);
  }
  if (program < 0) {
    std::perror("supervise: fork");
    kill_tree();
    return kCannotRun;
  }
  int status = 128 + SIGTERM;
  const Ending ending = wait_for_ending(signals, program, display.server, status);
  if (display.server != 0) {
    unlink_display(display);
  }
  kill_tree();
  if (ending == Ending::kServerGone) {
    for (const std::string& path : removals) {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  }
  return status;
}

}  // namespace shoal::webdriver
