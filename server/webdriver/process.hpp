// A supervised child process (webdriver/supervise.hpp) with its output. The supervisor's standard input is a socket
// whose other end is ours, so the tree below it ends when this object, or the whole server, does. Lives on the lane of
// its executor; destroying it kills the tree without waiting; await end() to know it is gone.
#pragma once

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/clock.hpp"
#include "server/core/cpu_list.hpp"

namespace shoal::webdriver {

struct ProcessSpec {
  std::string supervisor;                                        // executable that knows `supervise`
  std::vector<std::string> arguments;                            // the program first
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
  std::string directory;                                         // working directory
  std::string display_server = {};                               // see supervise.hpp; empty: none
  CpuList cpus = {};                                             // that it keeps to; empty: any
  std::vector<std::string> remove_if_orphaned = {};              // folders, see supervise.hpp
};

class Process {
 public:
  // kUnavailable when it cannot be started at all.
  static Result<std::unique_ptr<Process>> start(boost::asio::any_io_executor executor, const ProcessSpec& spec);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  // The next line of its standard output or error, without the newline; kUnavailable at its end.
  boost::asio::awaitable<Result<std::string>> read_line();

  // Returns when the supervisor has ended, which is after its whole tree.
  boost::asio::awaitable<Status> exited();

  // Asks the supervisor to kill its tree. Idempotent, does not wait.
  void stop();
  // Kills the supervisor and whatever is below it: for when stop() had no effect.
  void kill_hard();

  [[nodiscard]] pid_t supervisor_pid() const { return pid_; }

 private:
  Process(boost::asio::any_io_executor executor, pid_t pid, int pidfd, int lifeline, int output);

  pid_t pid_;
  boost::asio::posix::stream_descriptor pidfd_;
  int lifeline_;
  boost::asio::posix::stream_descriptor output_;
  std::string buffered_;
  bool reaped_ = false;
};

}  // namespace shoal::webdriver
