// The text form of pool.browsers: "kind=headless_shell,count=1,backends=wasm+webgpu;kind=chromium". A JSON object may
// be a value: what is between its braces separates nothing. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/result.hpp"
#include "server/pool/config.hpp"

namespace shoal::app {

// WebNN has a browser of its own: its engine is native code of the browser, and a crash there takes the page with it.
inline constexpr std::string_view kDefaultBrowsers =
    "kind=headless_shell,backends=wasm+webgpu;kind=headless_shell,backends=webnn,threads=1";

// kInvalidArgument naming the key and what was expected.
Result<std::vector<pool::BrowserGroup>> parse_browsers(std::string_view text);

// The slots that these groups make, "<kind>/<n>" with n counted per kind, and what each is allowed.
std::vector<std::pair<std::string, std::vector<Backend>>> slots_of(const std::vector<pool::BrowserGroup>& groups);

}  // namespace shoal::app
