// Subcommands of `shoal` that belong together. Calling thread.
#pragma once

#include "engine/core/result.hpp"

namespace shoal::app {

class CommandGroup {
 public:
  CommandGroup() = default;
  CommandGroup(const CommandGroup&) = delete;
  CommandGroup& operator=(const CommandGroup&) = delete;
  virtual ~CommandGroup() = default;

  [[nodiscard]] virtual bool was_asked() const = 0;
  // Requires: was_asked(). Writes to stdout; an Error is the command's failure.
  virtual Status run() = 0;
};

}  // namespace shoal::app
