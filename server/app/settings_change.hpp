// What settings that were read again change in a server that runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/app/settings.hpp"
#include "server/app/settings_source.hpp"

namespace shoal::app {

struct SettingsChange {
  Settings settings;                       // the running ones with what has changed of them
  std::vector<std::string> changed;        // names of settings, in the order of the schema
  std::vector<std::string> needs_restart;  // those whose new value is not in `settings`
};

// Whether a running server takes the setting's new value.
bool is_live(std::string_view setting);

// Both lists name only settings whose value is another one than the running one. kInvalidArgument with file and key
// where what was read is wrong, by itself or together with what only a restart would change.
Result<SettingsChange> change_of(const Settings& running, const SettingsSource& source);

}  // namespace shoal::app
