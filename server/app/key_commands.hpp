// `shoal keys`: makes, lists and revokes API keys in the file that servers read.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "server/app/command_group.hpp"

namespace shoal::app {

class KeyCommands final : public CommandGroup {
 public:
  // `file`: where this configuration keeps them; asked when the command runs.
  KeyCommands(CLI::App& command, std::function<Result<std::filesystem::path>()> file);
  ~KeyCommands() override;

  [[nodiscard]] bool was_asked() const override;
  Status run() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
