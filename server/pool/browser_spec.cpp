#include "server/pool/browser_spec.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "server/core/ids.hpp"
#include "server/webdriver/endpoint.hpp"
#include "server/webdriver/launch.hpp"

namespace shoal::pool {

namespace fs = std::filesystem;
using webdriver::BrowserKind;

namespace {

// The browser's own temporary files: not in the profile, whose path may be too long for their sockets.
std::string temporary_folder(const std::string& profile) {
  return (fs::temp_directory_path() / fmt::format("shoal-{}", sha256_hex(profile.data(), profile.size()).substr(0, 12)))
      .string();
}

// The program to run: as configured, else the kind's own, which may lie below the home folder.
Result<std::string> program_of(const BrowserKind& kind, std::string_view key, const std::string& configured,
                               std::string_view usual, const fs::path& home) {
  if (configured.empty() && usual.empty()) {
    return fail(Code::kInvalidArgument,
                fmt::format("browser kind '{}' needs {}: it is in no package that Shoal could know the place of",
                            kind.name, key),
                std::string(key));
  }
  std::string path = configured.empty() ? (home / usual).string() : configured;
  if (access(path.c_str(), X_OK) != 0) {
    const std::string remedy = configured.empty() ? fmt::format("; {} installs it", kind.installed_by) : std::string();
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' of browser kind '{}' is not an executable file{}", path, kind.name, remedy),
                std::string(key));
  }
  return path;
}

Status check_display(const BrowserKind& kind, bool headed) {
  if (headed && !kind.can_be_headed) {
    return fail(Code::kInvalidArgument, fmt::format("browser kind '{}' has no window to show", kind.name), "headed");
  }
  if (headed && std::getenv("DISPLAY") == nullptr && std::getenv("WAYLAND_DISPLAY") == nullptr) {
    return fail(Code::kInvalidArgument,
                fmt::format("a headed '{}' needs a display: DISPLAY and WAYLAND_DISPLAY are not set", kind.name),
                "headed");
  }
  const std::string server(kind.display_server);
  if (!headed && !server.empty() && access(server.c_str(), X_OK) != 0) {
    return fail(Code::kInvalidArgument,
                fmt::format("browser kind '{}' needs {}; {} installs it", kind.name, server, kind.installed_by),
                "kind");
  }
  return {};
}

Result<webdriver::BrowserSpec> remote_spec(const BrowserGroup& group, const webdriver::LaunchChoice& choice) {
  Result<webdriver::Endpoint> endpoint = webdriver::parse_endpoint(group.remote_url);
  if (!endpoint) {
    return fail(std::move(endpoint.error()));
  }
  return webdriver::remote_browser({.endpoint = *std::move(endpoint), .keep_alive = group.keep_alive},
                                   webdriver::find_browser_kind(group.remote_kind), choice, group.capabilities);
}

bool wants_software(const PoolConfig& config, const webdriver::MachineFacts& machine) {
  return config.adapter == AdapterPolicy::kSoftware || (config.adapter == AdapterPolicy::kAuto && !machine.has_gpu);
}

}  // namespace

BreakerKey breaker_key_of(const BrowserGroup& group, const PoolConfig& config, const webdriver::MachineFacts& machine,
                          const webdriver::BrowserSpec& browser) {
  if (!group.remote_url.empty()) {
    return {.browser = group.remote_url + (group.remote_kind.empty() ? "" : " " + group.remote_kind), .adapter = {}};
  }
  return {.browser = browser.name, .adapter = wants_software(config, machine) ? "software" : "hardware"};
}

Result<webdriver::BrowserSpec> browser_spec_of(const BrowserGroup& group, std::uint32_t number,
                                               const PoolConfig& config, const webdriver::MachineFacts& machine,
                                               const std::string& agent_url) {
  const BrowserKind* kind = webdriver::find_browser_kind(group.kind);
  if (kind == nullptr) {
    return fail(Code::kInvalidArgument,
                fmt::format("no browser kind '{}'; there are: {}", group.kind, webdriver::browser_kind_names()),
                "kind");
  }
  webdriver::LaunchChoice choice{.software_adapter = wants_software(config, machine),
                                 .headed = group.headed,
                                 .profile = {},
                                 .temporary = {},
                                 .log_path = {},
                                 .agent_url = agent_url,
                                 .extra_arguments = group.extra_arguments,
                                 .cpus = group.cpus};
  if (kind->is_remote) {
    return remote_spec(group, choice);
  }
  if (Status possible = check_display(*kind, group.headed); !possible) {
    return fail(std::move(possible.error()));
  }
  const fs::path home = fs::absolute(config.home);
  Result<std::string> driver = program_of(*kind, "driver_path", group.driver_path, kind->driver_path, home);
  if (!driver) {
    return fail(std::move(driver.error()));
  }
  Result<std::string> browser = program_of(*kind, "browser_path", group.browser_path, kind->browser_path, home);
  if (!browser) {
    return fail(std::move(browser.error()));
  }
  const std::string name = fmt::format("{}-{}", group.kind, number);
  choice.profile = (home / "profiles" / name).string();
  choice.temporary = temporary_folder(choice.profile);
  choice.log_path = (home / "logs" / (name + ".driver.log")).string();
  return webdriver::local_browser(
      *kind, {.supervisor = config.supervisor, .browser = *std::move(browser), .driver = *std::move(driver)}, machine,
      choice);
}

}  // namespace shoal::pool
