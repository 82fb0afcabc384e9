// The kinds of browser that can be launched, as data, and the command lines that follow from them. Pure: what the
// machine is like comes in as MachineFacts.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shoal::webdriver {

struct BrowserKind {
  std::string_view name;          // in configuration and in slot names
  std::string_view browser_path;  // relative: below SHOAL_HOME
  std::string_view driver_path;
  bool needs_no_sandbox = false;                    // also when not root
  std::vector<std::string_view> browser_arguments;  // of this kind only
  std::vector<std::string_view> driver_arguments;
};

const std::vector<BrowserKind>& browser_kinds();
const BrowserKind* find_browser_kind(std::string_view name);
std::string browser_kind_names();  // "headless_shell, chromium"

struct MachineFacts {
  bool is_root = false;
  bool has_gpu = false;        // a render node or an NVIDIA device
  bool has_small_shm = false;  // /dev/shm too small for a browser's shared memory
};
MachineFacts read_machine_facts();

struct LaunchChoice {
  bool software_adapter = false;  // else the hardware one
  std::string profile;            // folder
  std::vector<std::string> extra_arguments;
};

std::vector<std::string> browser_arguments(const BrowserKind& kind, const MachineFacts& machine,
                                           const LaunchChoice& choice);
// The alwaysMatch capabilities of its session.
nlohmann::json session_capabilities(std::string_view browser_path, const std::vector<std::string>& arguments);

// The port in a driver's line "... was started successfully on port 40123."
std::optional<std::uint16_t> parse_driver_port(std::string_view line);

}  // namespace shoal::webdriver
