// What each family of browsers is told when its session begins: the value below its options key, with the arguments,
// and for Firefox the preferences. Pure.
#pragma once

#include <nlohmann/json.hpp>

#include "server/webdriver/browser_kind.hpp"

namespace shoal::webdriver {

nlohmann::json chromium_options(const BrowserKind& kind, const MachineFacts& machine, const LaunchChoice& choice);
nlohmann::json firefox_options(const BrowserKind& kind, const MachineFacts& machine, const LaunchChoice& choice);
nlohmann::json webkitgtk_options(const BrowserKind& kind, const MachineFacts& machine, const LaunchChoice& choice);

}  // namespace shoal::webdriver
