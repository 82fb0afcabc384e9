#include "server/webdriver/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "server/webdriver/process_tree.hpp"

namespace shoal::webdriver {

namespace asio = boost::asio;

namespace {

constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxLineBytes = 64 * 1024;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto replaces = [&text](const auto& pair) { return text.starts_with(pair.first + "="); };
    if (std::ranges::none_of(added, replaces)) {
      all.emplace_back(text);
    }
  }
  for (const auto& [name, value] : added) {
    all.push_back(name + "=" + value);
  }
  return all;
}

// Two connected ends; those not taken out are closed.
struct Pair {
  std::array<int, 2> ends = {-1, -1};
  Pair() = default;
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    for (const int end : ends) {
      if (end >= 0) {
        close(end);
      }
    }
  }
};

Result<pid_t> spawn(const ProcessSpec& spec, int standard_input, int standard_output) {
  // Under its real name: "/proc/self/exe" would tell nobody what runs there.
  std::error_code no_link;
  const std::filesystem::path real = std::filesystem::read_symlink(spec.supervisor, no_link);
  std::vector<std::string> arguments = {no_link ? spec.supervisor : real.string(), "supervise"};
  for (const std::string& folder : spec.remove_if_orphaned) {
    arguments.insert(arguments.end(), {"--remove", folder});
  }
  if (!spec.display_server.empty()) {
    arguments.insert(arguments.end(), {"--display", spec.display_server});
  }
  if (!spec.cpus.empty()) {
    arguments.insert(arguments.end(), {"--cpus", cpu_list_text(spec.cpus)});
  }
  arguments.emplace_back("--");
  arguments.insert(arguments.end(), spec.arguments.begin(), spec.arguments.end());
  std::vector<std::string> environment = environment_with(spec.environment);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, standard_input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, standard_output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, standard_output, STDERR_FILENO);
  // Asio's sockets are not close-on-exec: a child must not keep the server's ports.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawn_file_actions_addchdir_np(&actions, spec.directory.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // Its own session: a Ctrl-C in the server's terminal is the server's to handle.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, spec.supervisor.c_str(), &actions, &attributes, pointers(arguments).data(),
                                pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    return fail(Code::kUnavailable, "cannot start " + spec.supervisor + ": " + std::strerror(error));
  }
  return pid;
}

}  // namespace

Result<std::unique_ptr<Process>> Process::start(asio::any_io_executor executor, const ProcessSpec& spec) {
  Pair lifeline;  // sockets, since writing to a pipe without a reader raises SIGPIPE
  Pair output;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lifeline.ends.data()) != 0 ||
      pipe2(output.ends.data(), O_CLOEXEC) != 0) {
    return fail(Code::kUnavailable, std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  const Result<pid_t> pid = spawn(spec, lifeline.ends[1], output.ends[1]);
  if (!pid) {
    return fail(pid.error());
  }
  const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, *pid, 0));
  if (pidfd < 0) {
    const int error = errno;
    kill(*pid, SIGKILL);
    waitpid(*pid, nullptr, 0);
    return fail(Code::kUnavailable, std::string("pidfd_open: ") + std::strerror(error));
  }
  return std::unique_ptr<Process>(new Process(std::move(executor), *pid, pidfd, std::exchange(lifeline.ends[0], -1),
                                              std::exchange(output.ends[0], -1)));
}

Process::Process(asio::any_io_executor executor, pid_t pid, int pidfd, int lifeline, int output)
    : pid_(pid), pidfd_(executor, pidfd), lifeline_(lifeline), output_(executor, output) {}

Process::~Process() {
  stop();
  if (!reaped_ && waitpid(pid_, nullptr, WNOHANG) == 0) {
    // Not waited for: it is ending, and must not stay a zombie of ours for ever.
    kill_hard();
    waitpid(pid_, nullptr, 0);
  }
}

asio::awaitable<Result<std::string>> Process::read_line() {
  for (;;) {
    const std::size_t end = buffered_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffered_.substr(0, end);
      buffered_.erase(0, end + 1);
      co_return line;
    }
    if (buffered_.size() > kMaxLineBytes) {
      co_return fail(Code::kUnavailable, "a line of its output is too long");
    }
    std::array<char, 4096> chunk{};
    const auto [error, count] = co_await output_.async_read_some(asio::buffer(chunk), kAwaitTuple);
    if (error) {
      co_return fail(Code::kUnavailable, "its output ended");
    }
    buffered_.append(chunk.data(), count);
  }
}

asio::awaitable<Status> Process::exited() {
  while (!reaped_) {
    const auto [error] = co_await pidfd_.async_wait(asio::posix::stream_descriptor::wait_read, kAwaitTuple);
    if (error) {
      co_return fail(Code::kCancelled, error.message());
    }
    reaped_ = reaped_ || waitpid(pid_, nullptr, WNOHANG) != 0;
  }
  co_return Status();
}

void Process::stop() {
  if (lifeline_ >= 0) {
    // The byte says that the server lives and cares for its folders itself.
    [[maybe_unused]] const ssize_t told = send(lifeline_, "q", 1, MSG_NOSIGNAL);
    close(lifeline_);
    lifeline_ = -1;
  }
}

void Process::kill_hard() {
  if (reaped_) {
    return;
  }
  const std::vector<pid_t> below = descendants(pid_);
  kill(pid_, SIGKILL);
  for (const pid_t pid : below) {
    kill(pid, SIGKILL);
  }
}

}  // namespace shoal::webdriver
