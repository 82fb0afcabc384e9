// `shoal run`: one answer of a model, computed here by the plan engine, or in a browser.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "server/app/command_group.hpp"
#include "server/app/settings.hpp"

namespace shoal::app {

class RunCommand final : public CommandGroup {
 public:
  // `settings`: those of serve, which say where the browser is; asked when they are needed.
  RunCommand(CLI::App& command, std::string home, std::function<Result<Settings>()> settings);
  ~RunCommand() override;

  [[nodiscard]] bool was_asked() const override;
  Status run() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
