// `shoal import`: a package (or, of BERT, an ONNX model) of the model repository out of a model's source; `shoal
// estimate`: what it would take.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "server/app/command_group.hpp"

namespace shoal::app {

class ImportCommand final : public CommandGroup {
 public:
  // `repository` is where models lie unless it is said.
  ImportCommand(CLI::App& command, const std::string& home);
  ~ImportCommand() override;

  [[nodiscard]] bool was_asked() const override;
  Status run() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::app
