// `shoal run`: one answer of a model, computed here by the plan engine.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "server/app/command_group.hpp"

namespace shoal::app {

class RunCommand final : public CommandGroup {
 public:
  // `home` is SHOAL_HOME.
  RunCommand(CLI::App& command, std::string home);
  ~RunCommand() override;

  [[nodiscard]] bool was_asked() const override;
  Status run() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
