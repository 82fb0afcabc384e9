// Changing at run time what a log lets through. Apart from log.hpp, because nearly everything writes logs and almost
// nothing may do this.
#pragma once

#include <string_view>

#include "server/core/log.hpp"

namespace shoal {

std::string_view log_level_name(LogLevel level);  // as log_level_from reads it

LogLevel level_of(const Log& log);
// From now on, for `log` and all that share its lines: those it was made from, and those made from it.
void set_level(const Log& log, LogLevel level);

}  // namespace shoal
