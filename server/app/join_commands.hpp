// `shoal join ...`: the tokens that let devices join a running server. Calling thread; talks to the server's HTTP port.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/core/result.hpp"

namespace CLI {
class App;
}

namespace shoal::app {

class JoinCommands {
 public:
  // Adds its subcommands. `default_server` is asked only when no --server is given.
  JoinCommands(CLI::App& command, std::function<Result<std::string>()> default_server);
  JoinCommands(const JoinCommands&) = delete;
  JoinCommands& operator=(const JoinCommands&) = delete;
  ~JoinCommands();

  [[nodiscard]] bool was_asked() const;
  // Requires: was_asked(). Writes to stdout; an Error is the command's failure.
  Status run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
