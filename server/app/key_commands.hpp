// `shoal keys`: makes, lists and revokes API keys in the file that servers read.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "engine/core/result.hpp"

namespace shoal::app {

class KeyCommands {
 public:
  // `file`: where this configuration keeps them; asked when the command runs.
  KeyCommands(CLI::App& command, std::function<Result<std::filesystem::path>()> file);
  KeyCommands(const KeyCommands&) = delete;
  KeyCommands& operator=(const KeyCommands&) = delete;
  ~KeyCommands();

  [[nodiscard]] bool was_asked() const;
  Status run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
