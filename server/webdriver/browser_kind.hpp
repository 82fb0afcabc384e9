// The kinds of browser that can be launched, as data, and what follows from them: command lines, environments, the
// capabilities of a session. Pure: what the machine is like comes in as MachineFacts.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/core/cpu_list.hpp"

namespace shoal::webdriver {

struct MachineFacts {
  bool is_root = false;
  bool has_gpu = false;        // a render node or an NVIDIA device
  bool has_small_shm = false;  // /dev/shm too small for a browser's shared memory
};
MachineFacts read_machine_facts();

struct LaunchChoice {
  bool software_adapter = false;  // else the hardware one
  bool headed = false;
  std::string profile;    // folder; empty: the driver's own
  std::string temporary;  // folder
  std::string log_path;   // of the driver
  std::string agent_url;
  std::vector<std::string> extra_arguments;
  CpuList cpus = {};  // empty: any
};

using Environment = std::vector<std::pair<std::string, std::string>>;

struct BrowserKind {
  std::string_view name;               // in configuration and in slot names
  std::string_view browser_path = {};  // relative: below SHOAL_HOME; empty: only where the configuration says
  std::string_view driver_path = {};   // likewise
  std::string_view installed_by = {};  // what to run when they are missing
  // In these and in the environment {profile}, {temporary} and {log} stand for the slot's own.
  std::vector<std::string_view> driver_arguments = {};
  std::string_view port_words = {};  // what the driver prints before its port; empty: it prints none
  std::vector<std::pair<std::string_view, std::string_view>> environment = {};
  std::vector<std::pair<std::string_view, std::string_view>> software_adapter_environment = {};
  std::string_view display_server = {};  // for its headless mode, when it has none itself
  bool can_be_headed = true;
  bool needs_no_sandbox = false;  // also when not root
  bool driver_reaps = true;       // waits for a browser that ended otherwise than by its own doing
  bool shares_tabs = false;       // its driver takes several sessions on one browser
  bool is_remote = false;         // somebody else's: found by URL, nothing of it runs here
  // The session: browserName, where its options stand, and what makes them.
  std::string_view browser_name = {};
  std::string_view options_key = {};
  std::vector<std::string_view> headless_arguments = {};
  nlohmann::json (*options)(const BrowserKind&, const MachineFacts&, const LaunchChoice&) = nullptr;
};

const std::vector<BrowserKind>& browser_kinds();
const BrowserKind* find_browser_kind(std::string_view name);
std::string browser_kind_names();  // "headless_shell, chromium, ..."

// The alwaysMatch capabilities of its session; without `browser_path` the driver chooses the program.
nlohmann::json session_capabilities(const BrowserKind& kind, const MachineFacts& machine, const LaunchChoice& choice,
                                    std::string_view browser_path);
// What the driver is started with.
std::vector<std::string> driver_arguments(const BrowserKind& kind, const LaunchChoice& choice);
Environment driver_environment(const BrowserKind& kind, const LaunchChoice& choice);

// The port in a driver's line, which follows `words`: "... was started successfully on port 40123."
std::optional<std::uint16_t> parse_driver_port(std::string_view line, std::string_view words);

}  // namespace shoal::webdriver
