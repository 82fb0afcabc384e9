// `shoal workers ...`: what operators see of a running server's browsers and do to them. Calling thread; talks to the
// server's HTTP port.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/core/result.hpp"

namespace CLI {
class App;
}

namespace shoal::app {

class WorkerCommands {
 public:
  // Adds its subcommands. `default_server` is asked only when no --server is given.
  WorkerCommands(CLI::App& command, std::function<Result<std::string>()> default_server);
  WorkerCommands(const WorkerCommands&) = delete;
  WorkerCommands& operator=(const WorkerCommands&) = delete;
  ~WorkerCommands();

  [[nodiscard]] bool was_asked() const;
  // Requires: was_asked(). Writes to stdout; an Error is the command's failure.
  Status run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
