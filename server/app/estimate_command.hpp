// `shoal estimate`: what a model would take at so many bits, told from its configuration and the shapes of its tensors.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "server/app/command_group.hpp"

namespace shoal::app {

class EstimateCommand final : public CommandGroup {
 public:
  EstimateCommand(CLI::App& command, const std::string& home);
  ~EstimateCommand() override;

  [[nodiscard]] bool was_asked() const override;
  Status run() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
