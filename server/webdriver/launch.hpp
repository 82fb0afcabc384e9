// From a kind and the configuration's choices to what a Browser is made of. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "server/webdriver/browser.hpp"
#include "server/webdriver/browser_kind.hpp"

namespace shoal::webdriver {

struct Programs {
  std::string supervisor;
  std::string browser;
  std::string driver;
};

// A browser of this machine.
BrowserSpec local_browser(const BrowserKind& kind, const Programs& programs, const MachineFacts& machine,
                          const LaunchChoice& choice);

// One that `remote` has; `like`, where it is known, is what kind of browser to ask for. Members of `wanted` take the
// place of what follows from that.
BrowserSpec remote_browser(RemoteEndSpec remote, const BrowserKind* like, const LaunchChoice& choice,
                           const nlohmann::json& wanted);

}  // namespace shoal::webdriver
