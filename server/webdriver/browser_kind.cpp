#include "server/webdriver/browser_kind.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "server/webdriver/browser_options.hpp"

namespace shoal::webdriver {

namespace {

constexpr std::uint64_t kEnoughSharedMemory = 512ULL * 1024 * 1024;

constexpr std::string_view kChromedriverPort = "started successfully on port ";
const std::vector<std::string_view> kChromedriverArguments = {"--port=0", "--log-path={log}", "--log-level=WARNING"};

// Whatever the server's environment says of a desktop's folders.
const std::vector<std::pair<std::string_view, std::string_view>> kOwnFolders = {{"XDG_CACHE_HOME", "{profile}/cache"},
                                                                                {"XDG_CONFIG_HOME", "{profile}/config"},
                                                                                {"XDG_DATA_HOME", "{profile}/data"},
                                                                                {"XDG_RUNTIME_DIR", "{temporary}"}};

#if defined(__aarch64__)
constexpr std::string_view kMiniBrowser = "/usr/lib/aarch64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
#else
constexpr std::string_view kMiniBrowser = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
#endif

std::vector<BrowserKind> make_kinds() {
  BrowserKind chromium{.name = "chromium",
                       .browser_path = "/usr/bin/chromium",
                       .driver_path = "/usr/bin/chromedriver",
                       .installed_by = "scripts/bootstrap.sh build",
                       .driver_arguments = kChromedriverArguments,
                       .port_words = kChromedriverPort,
                       // Its drivers switch logging on; without a name the log would grow beside the binary.
                       .environment = {{"CHROME_LOG_FILE", "{profile}/chrome.log"}},
                       .shares_tabs = true,
                       .browser_name = "chrome",
                       .options_key = "goog:chromeOptions",
                       .headless_arguments = {"--headless=new"},
                       .options = chromium_options};

  // Chromium's old headless mode as a program of its own. Its driver comes from another version; outside Debian's
  // packaging it has no setuid sandbox.
  BrowserKind headless_shell = chromium;
  headless_shell.name = "headless_shell";
  headless_shell.browser_path = "tools/headless_shell/headless_shell.sh";
  headless_shell.installed_by = "scripts/install_headless_shell.sh";
  headless_shell.driver_arguments.emplace_back("--disable-build-check");
  headless_shell.can_be_headed = false;
  headless_shell.needs_no_sandbox = true;
  headless_shell.headless_arguments = {};

  // Not in Debian: used where the configuration says where they are.
  BrowserKind chrome = chromium;
  chrome.name = "chrome";
  chrome.browser_path = chrome.driver_path = chrome.installed_by = {};
  BrowserKind edge = chrome;
  edge.name = "edge";
  edge.shares_tabs = false;  // not tried
  edge.browser_name = "MicrosoftEdge";
  edge.options_key = "ms:edgeOptions";

  BrowserKind firefox{
      .name = "firefox",
      .browser_path = "/usr/bin/firefox-esr",
      .driver_path = "tools/geckodriver/bin/geckodriver",
      .installed_by = "scripts/install_browsers.sh firefox",
      // The port is for BiDi, which is not asked for: its default is one number for all slots.
      .driver_arguments = {"--port=0", "--host=127.0.0.1", "--websocket-port=0", "--profile-root={temporary}"},
      .port_words = "Listening on 127.0.0.1:",
      .environment = kOwnFolders,
      // Mesa's lavapipe, whatever else is installed.
      .software_adapter_environment = {{"VK_LOADER_DRIVERS_SELECT", "lvp_*"}},
      // geckodriver keeps each browser that was killed as a zombie.
      .driver_reaps = false,
      .browser_name = "firefox",
      .options_key = "moz:firefoxOptions",
      .headless_arguments = {"--headless"},
      .options = firefox_options};

  BrowserKind webkitgtk{.name = "webkitgtk",
                        .browser_path = kMiniBrowser,
                        .driver_path = "/usr/bin/WebKitWebDriver",
                        .installed_by = "scripts/install_browsers.sh webkitgtk",
                        .driver_arguments = {"--host=127.0.0.1", "--port=0"},
                        .environment = kOwnFolders,
                        // MiniBrowser ends without a display, and then the driver never answers POST /session.
                        .display_server = "/usr/bin/Xvfb",
                        .browser_name = "MiniBrowser",
                        .options_key = "webkitgtk:browserOptions",
                        .options = webkitgtk_options};
  // Without the first one the page is cross-origin isolated and has no SharedArrayBuffer all the same: one thread only.
  // The others keep GTK from looking for a desktop.
  webkitgtk.environment.insert(webkitgtk.environment.end(), {{"JSC_useSharedArrayBuffer", "1"},
                                                             {"GDK_BACKEND", "x11"},
                                                             {"GSETTINGS_BACKEND", "memory"},
                                                             {"NO_AT_BRIDGE", "1"},
                                                             {"DBUS_SESSION_BUS_ADDRESS", "disabled:"}});

  BrowserKind remote{.name = "remote", .is_remote = true};
  return {std::move(headless_shell), std::move(chromium),  std::move(chrome), std::move(edge),
          std::move(firefox),        std::move(webkitgtk), std::move(remote)};
}

std::string filled_in(std::string_view text, const LaunchChoice& choice) {
  std::string filled(text);
  const std::pair<std::string_view, const std::string&> places[] = {
      {"{profile}", choice.profile}, {"{temporary}", choice.temporary}, {"{log}", choice.log_path}};
  for (const auto& [mark, path] : places) {
    if (const std::size_t found = filled.find(mark); found != std::string::npos) {
      filled.replace(found, mark.size(), path);
    }
  }
  return filled;
}

}  // namespace

const std::vector<BrowserKind>& browser_kinds() {
  static const std::vector<BrowserKind> kKinds = make_kinds();
  return kKinds;
}

const BrowserKind* find_browser_kind(std::string_view name) {
  const auto& kinds = browser_kinds();
  const auto found = std::ranges::find(kinds, name, &BrowserKind::name);
  return found == kinds.end() ? nullptr : &*found;
}

std::string browser_kind_names() {
  std::string names;
  for (const BrowserKind& kind : browser_kinds()) {
    names += (names.empty() ? "" : ", ") + std::string(kind.name);
  }
  return names;
}

MachineFacts read_machine_facts() {
  MachineFacts facts;
  facts.is_root = geteuid() == 0;
  std::error_code error;
  facts.has_gpu = std::filesystem::exists("/dev/nvidiactl", error);
  for (std::filesystem::directory_iterator entry("/dev/dri", error), end; !error && entry != end;
       entry.increment(error)) {
    facts.has_gpu = facts.has_gpu || entry->path().filename().string().starts_with("render");
  }
  struct statvfs shm{};
  facts.has_small_shm = statvfs("/dev/shm", &shm) != 0 || shm.f_blocks * shm.f_frsize < kEnoughSharedMemory;
  return facts;
}

nlohmann::json session_capabilities(const BrowserKind& kind, const MachineFacts& machine, const LaunchChoice& choice,
                                    std::string_view browser_path) {
  // "none": the agent's hello says that the page has come up.
  nlohmann::json capabilities = {{"pageLoadStrategy", "none"}};
  if (kind.options != nullptr) {
    nlohmann::json options = kind.options(kind, machine, choice);
    if (!browser_path.empty()) {
      options["binary"] = browser_path;
    }
    capabilities["browserName"] = kind.browser_name;
    capabilities[std::string(kind.options_key)] = std::move(options);
  }
  return capabilities;
}

std::vector<std::string> driver_arguments(const BrowserKind& kind, const LaunchChoice& choice) {
  std::vector<std::string> arguments;
  for (const std::string_view argument : kind.driver_arguments) {
    arguments.push_back(filled_in(argument, choice));
  }
  return arguments;
}

Environment driver_environment(const BrowserKind& kind, const LaunchChoice& choice) {
  auto wanted = kind.environment;
  if (choice.software_adapter) {
    wanted.insert(wanted.end(), kind.software_adapter_environment.begin(), kind.software_adapter_environment.end());
  }
  Environment environment;
  for (const auto& [name, value] : wanted) {
    environment.emplace_back(name, filled_in(value, choice));
  }
  return environment;
}

std::optional<std::uint16_t> parse_driver_port(std::string_view line, std::string_view words) {
  const std::size_t found = line.find(words);
  if (words.empty() || found == std::string_view::npos) {
    return std::nullopt;
  }
  const char* begin = line.data() + found + words.size();
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(begin, line.data() + line.size(), port);
  return parsed.ec == std::errc() && port != 0 ? std::optional(port) : std::nullopt;
}

}  // namespace shoal::webdriver
