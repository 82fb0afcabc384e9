#include "server/api/kserve/log_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "server/api/kserve/natural.hpp"
#include "server/core/log_level.hpp"
#include "server/wire/json_reader.hpp"
#include "server/wire/parameters_json.hpp"

namespace shoal::api::kserve {
namespace {

std::unexpected<Error> wrong(const std::string& name, std::string_view why) {
  return fail(Code::kInvalidArgument, fmt::format("log setting '{:.100}' {}", name, why), name);
}

// Puts the change in the place of the setting, which has its type.
Status change(const std::string& name, const wire::Parameter& value, wire::Parameters& settings) {
  const auto found = settings.find(name);
  if (found == settings.end()) {
    return wrong(
        name, "is not known; there are log_error, log_file, log_format, log_info, log_verbose_level and log_warning");
  }
  if (name == "log_verbose_level") {
    const auto level = natural(value);
    if (!level || *level > 1) {
      return wrong(name, "must be 0 or 1");
    }
    found->second = *level;
    return {};
  }
  if (value.index() != found->second.index()) {
    return wrong(name, std::holds_alternative<bool>(found->second) ? "must be true or false" : "must be a string");
  }
  if (std::holds_alternative<std::string>(value) && value != found->second) {
    return wrong(
        name, fmt::format("cannot be changed while the server runs: it is '{}'", std::get<std::string>(found->second)));
  }
  found->second = value;
  return {};
}

}  // namespace

wire::Parameters log_settings(LogLevel level) {
  return {{"log_error", true},
          {"log_warning", level <= LogLevel::kWarn},
          {"log_info", level <= LogLevel::kInfo},
          {"log_verbose_level", std::uint64_t{level <= LogLevel::kDebug ? 1U : 0U}},
          {"log_format", std::string("ISO8601")},
          {"log_file", std::string()}};
}

Result<LogLevel> changed_level(LogLevel now, const wire::Parameters& changes) {
  wire::Parameters settings = log_settings(now);
  for (const auto& [name, value] : changes) {
    if (Status status = change(name, value, settings); !status) {
      return fail(std::move(status.error()));
    }
  }
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (log_settings(level) == settings) {
      return level;
    }
  }
  if (settings.at("log_error") == wire::Parameter(false)) {
    return wrong("log_error", "cannot be false: errors are always logged");
  }
  if (settings.at("log_warning") == wire::Parameter(false)) {
    return wrong("log_warning", "cannot be false while log_info or log_verbose_level is on");
  }
  return wrong("log_info", "cannot be false while log_verbose_level is 1");
}

Status change_log(const Log& log, const wire::Parameters& changes) {
  const LogLevel before = level_of(log);
  const auto level = changed_level(before, changes);
  if (!level) {
    return fail(level.error());
  }
  if (*level != before) {
    // At whichever of both lets it through: that lines end is worth one, too.
    set_level(log, std::min(before, *level));
    log.warn("log_level_changed", {{"from", log_level_name(before)}, {"to", log_level_name(*level)}});
    set_level(log, *level);
  }
  return {};
}

Result<wire::Parameters> read_log_settings(std::string_view body) {
  wire::Parameters settings;
  if (body.empty()) {
    return settings;
  }
  wire::JsonReader reader(body);
  Status status = wire::read_parameters(reader, settings);
  if (status) {
    status = reader.finish();
  }
  if (!status) {
    return fail(std::move(status.error()));
  }
  return settings;
}

}  // namespace shoal::api::kserve
