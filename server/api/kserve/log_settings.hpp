// The logging extension: Triton's log settings over Shoal's levels. Levels are a threshold, so the settings are those
// of one of them:
//   error: log_error; warn: and log_warning; info: and log_info; debug: and log_verbose_level 1.
#pragma once

#include <string_view>

#include "engine/core/result.hpp"
#include "server/core/log.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::api::kserve {

// log_error, log_warning, log_info, log_verbose_level, log_format ("ISO8601"), log_file ("" = stderr).
wire::Parameters log_settings(LogLevel level);

// The level that `changes` to the settings of `now` make. kInvalidArgument naming the setting that is not known, has
// another type, cannot be changed while the server runs, or leaves out a level below one that is let through.
Result<LogLevel> changed_level(LogLevel now, const wire::Parameters& changes);

// Makes that level the log's, and logs the change as a warning. Main lane.
Status change_log(const Log& log, const wire::Parameters& changes);

// The JSON object of the REST route; an empty body changes nothing.
Result<wire::Parameters> read_log_settings(std::string_view body);

}  // namespace shoal::api::kserve
