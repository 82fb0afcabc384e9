#include "server/webdriver/browser_kind.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

namespace shoal::webdriver {

namespace {

constexpr std::uint64_t kEnoughSharedMemory = 512ULL * 1024 * 1024;

// Of every Chromium: no traffic of its own, no throttling of what nobody looks at, GPU crashes are ours to count.
constexpr std::array kCommonArguments = {
    std::string_view("--no-first-run"),
    std::string_view("--no-default-browser-check"),
    std::string_view("--no-pings"),
    std::string_view("--disable-background-networking"),
    std::string_view("--disable-breakpad"),
    std::string_view("--disable-client-side-phishing-detection"),
    std::string_view("--disable-component-update"),
    std::string_view("--disable-default-apps"),
    std::string_view("--disable-domain-reliability"),
    std::string_view("--disable-extensions"),
    std::string_view("--disable-sync"),
    std::string_view("--metrics-recording-only"),
    std::string_view("--mute-audio"),
    std::string_view("--password-store=basic"),
    std::string_view("--disable-background-timer-throttling"),
    std::string_view("--disable-renderer-backgrounding"),
    std::string_view("--disable-backgrounding-occluded-windows"),
    std::string_view("--disable-ipc-flooding-protection"),
    std::string_view("--disable-hang-monitor"),
    // Either alone is not enough: after a GPU process's third crash WebGPU would be gone for good.
    std::string_view("--disable-gpu-process-crash-limit"),
    std::string_view("--disable-domain-blocking-for-3d-apis"),
    std::string_view("--enable-unsafe-webgpu"),
    std::string_view("--disable-features=Translate,MediaRouter,OptimizationHints,AutofillServerCommunication"),
    // The agent's page needs nothing but this machine; an IP literal is looked up by these rules too.
    std::string_view("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
};

}  // namespace

const std::vector<BrowserKind>& browser_kinds() {
  static const std::vector<BrowserKind> kKinds = {
      // Chromium's old headless mode as a program of its own. Its driver comes from another version; outside Debian's
      // packaging it has no setuid sandbox.
      {.name = "headless_shell",
       .browser_path = "tools/headless_shell/headless_shell.sh",
       .driver_path = "/usr/bin/chromedriver",
       .needs_no_sandbox = true,
       .browser_arguments = {},
       .driver_arguments = {"--disable-build-check"}},
      {.name = "chromium",
       .browser_path = "/usr/bin/chromium",
       .driver_path = "/usr/bin/chromedriver",
       .needs_no_sandbox = false,
       .browser_arguments = {"--headless=new"},
       .driver_arguments = {}},
  };
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

std::vector<std::string> browser_arguments(const BrowserKind& kind, const MachineFacts& machine,
                                           const LaunchChoice& choice) {
  std::vector<std::string> arguments(kCommonArguments.begin(), kCommonArguments.end());
  arguments.insert(arguments.end(), kind.browser_arguments.begin(), kind.browser_arguments.end());
  arguments.push_back("--user-data-dir=" + choice.profile);
  std::string features = "WebMachineLearningNeuralNetwork";
  if (choice.software_adapter) {
    arguments.emplace_back("--use-webgpu-adapter=swiftshader");
  } else {
    features += ",Vulkan";
    arguments.insert(arguments.end(), {"--ignore-gpu-blocklist", "--use-angle=vulkan", "--disable-vulkan-surface"});
  }
  arguments.push_back("--enable-features=" + features);
  if (machine.is_root || kind.needs_no_sandbox) {
    arguments.emplace_back("--no-sandbox");
  }
  if (machine.has_small_shm) {
    arguments.emplace_back("--disable-dev-shm-usage");
  }
  arguments.insert(arguments.end(), choice.extra_arguments.begin(), choice.extra_arguments.end());
  return arguments;
}

nlohmann::json session_capabilities(std::string_view browser_path, const std::vector<std::string>& arguments) {
  return {{"browserName", "chrome"},
          {"pageLoadStrategy", "none"},
          {"goog:chromeOptions", {{"binary", browser_path}, {"args", arguments}}}};
}

std::optional<std::uint16_t> parse_driver_port(std::string_view line) {
  constexpr std::string_view kWords = "started successfully on port ";
  const std::size_t found = line.find(kWords);
  if (found == std::string_view::npos) {
    return std::nullopt;
  }
  const char* begin = line.data() + found + kWords.size();
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(begin, line.data() + line.size(), port);
  return parsed.ec == std::errc() && port != 0 ? std::optional(port) : std::nullopt;
}

}  // namespace shoal::webdriver
