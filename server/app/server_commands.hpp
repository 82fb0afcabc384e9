// `shoal reload`, `shoal drain` and `shoal resume`: what is done to a running server as a whole. Calling thread; talks
// to the server's HTTP port.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/core/result.hpp"

namespace CLI {
class App;
}

namespace shoal::app {

class ServerCommands {
 public:
  // Adds its subcommands. `default_server` is asked only when no --server is given.
  ServerCommands(CLI::App& command, std::function<Result<std::string>()> default_server);
  ServerCommands(const ServerCommands&) = delete;
  ServerCommands& operator=(const ServerCommands&) = delete;
  ~ServerCommands();

  [[nodiscard]] bool was_asked() const;
  // Requires: was_asked(). Writes to stdout; an Error is the command's failure.
  Status run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
