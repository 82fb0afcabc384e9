// `shoal run`: one answer of a model in a Hugging Face folder, computed here by the plan engine.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "engine/core/result.hpp"

namespace shoal::app {

class RunCommand {
 public:
  explicit RunCommand(CLI::App& command);
  RunCommand(const RunCommand&) = delete;
  RunCommand& operator=(const RunCommand&) = delete;
  ~RunCommand();

  [[nodiscard]] bool was_asked() const;
  Status run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
