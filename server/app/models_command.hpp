// `shoal models`: what the model repository holds, or what a running server says of it.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "server/app/command_group.hpp"

namespace shoal::app {

class ModelsCommand final : public CommandGroup {
 public:
  // `home` is SHOAL_HOME.
  ModelsCommand(CLI::App& command, std::string home);
  ~ModelsCommand() override;

  [[nodiscard]] bool was_asked() const override;
  Status run() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
