#include "server/webdriver/browser_options.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "server/webdriver/endpoint.hpp"

namespace shoal::webdriver {

using nlohmann::json;

namespace {

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
};

// The agent page's address, apart from its path.
struct Site {
  std::string host = "127.0.0.1";
  std::string origin;
  bool is_loopback = true;
  bool is_secure_context = true;  // loopback is one for browsers; any other http:// is none
};

Site site_of(const LaunchChoice& choice) {
  Site site;
  if (const auto url = parse_page_url(choice.agent_url)) {
    site.host = url->host;
    site.origin = "http://" + authority_of(*url);
    site.is_loopback = url->host == "localhost" || url->host == "::1" || url->host.starts_with("127.");
    site.is_secure_context = site.is_loopback || url->is_tls;
  }
  return site;
}

std::vector<std::string> with_extra(std::vector<std::string> arguments, const LaunchChoice& choice) {
  arguments.insert(arguments.end(), choice.extra_arguments.begin(), choice.extra_arguments.end());
  return arguments;
}

std::vector<std::string> mode_arguments(const BrowserKind& kind, const LaunchChoice& choice) {
  return choice.headed ? std::vector<std::string>()
                       : std::vector<std::string>(kind.headless_arguments.begin(), kind.headless_arguments.end());
}

}  // namespace

json chromium_options(const BrowserKind& kind, const MachineFacts& machine, const LaunchChoice& choice) {
  std::vector<std::string> arguments = mode_arguments(kind, choice);
  arguments.insert(arguments.end(), kCommonArguments.begin(), kCommonArguments.end());
  const Site site = site_of(choice);
  // The agent's page needs nothing but its own host; an IP literal is looked up by these rules too.
  arguments.push_back("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost" +
                      (site.is_loopback ? "" : ", EXCLUDE " + site.host));
  if (!site.is_secure_context) {
    // Threads and WebGPU are only for secure contexts; this one was chosen in the configuration.
    arguments.push_back("--unsafely-treat-insecure-origin-as-secure=" + site.origin);
  }
  if (!choice.profile.empty()) {
    arguments.push_back("--user-data-dir=" + choice.profile);
  }
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
  return {{"args", with_extra(std::move(arguments), choice)}};
}

json firefox_options(const BrowserKind& kind, const MachineFacts& /*machine*/, const LaunchChoice& choice) {
  std::vector<std::string> arguments = mode_arguments(kind, choice);
  if (!choice.profile.empty()) {
    arguments.insert(arguments.end(), {"-profile", choice.profile});
  }
  // geckodriver adds its own list, which switches off updates, reports and the first-run pages.
  json preferences = {
      // Off by default on Linux in ESR 153; without the last one a software adapter is null.
      {"dom.webgpu.enabled", true},
      {"dom.webgpu.workers.enabled", true},
      {"gfx.webgpu.ignore-blocklist", true},
      // Nobody looks at the page: its timers and its worth must not suffer from it.
      {"dom.min_background_timeout_value", 4},
      {"dom.timeout.enable_budget_timer_throttling", false},
      {"browser.tabs.unloadOnLowMemory", false},
      // Whether it hangs is ours to judge: no dialogue about slow scripts.
      {"dom.max_script_run_time", 0},
      {"dom.ipc.reportProcessHangs", false},
      // One page needs one process, and no spare ones.
      {"dom.ipc.processCount", 1},
      {"dom.ipc.processPrelaunch.enabled", false},
      // Killed browsers are everyday here: no safe mode, no restored session.
      {"toolkit.startup.max_resumed_crashes", -1},
      {"browser.sessionstore.resume_from_crash", false},
      {"network.captive-portal-service.enabled", false},
      {"network.connectivity-service.enabled", false},
      // The agent's page needs nothing but its own host: all else goes to a proxy that is not there (port 9: discard).
      {"network.proxy.type", 1},
      {"network.proxy.socks", "127.0.0.1"},
      {"network.proxy.socks_port", 9},
      {"network.proxy.socks_remote_dns", true},
      {"network.proxy.no_proxies_on", "127.0.0.1, localhost, " + site_of(choice).host},
  };
  return {{"args", with_extra(std::move(arguments), choice)}, {"prefs", std::move(preferences)}};
}

json webkitgtk_options(const BrowserKind& /*kind*/, const MachineFacts& /*machine*/, const LaunchChoice& choice) {
  return {{"args", with_extra({"--automation"}, choice)}};
}

}  // namespace shoal::webdriver
