// `shoal workers ...`: what operators see of a running server's browsers and do to them. Calling thread; talks to the
// server's HTTP port.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/app/command_group.hpp"

namespace CLI {
class App;
}

namespace shoal::app {

class WorkerCommands final : public CommandGroup {
 public:
  // Adds its subcommands. `default_server` is asked only when no --server is given.
  WorkerCommands(CLI::App& command, std::function<Result<std::string>()> default_server);
  ~WorkerCommands() override;

  [[nodiscard]] bool was_asked() const override;
  Status run() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
