#include "server/webdriver/browser_kind.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/webdriver/launch.hpp"

namespace shoal::webdriver {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

LaunchChoice choice_of(bool software) {
  return {.software_adapter = software,
          .headed = false,
          .profile = "/p",
          .temporary = "/t",
          .log_path = "/l/driver.log",
          .agent_url = "http://127.0.0.1:8000/agent/",
          .extra_arguments = {"--extra"}};
}

json options_of(const char* name, const MachineFacts& machine, const LaunchChoice& choice) {
  const BrowserKind& kind = *find_browser_kind(name);
  return session_capabilities(kind, machine, choice, "/b").at(std::string(kind.options_key));
}

std::vector<std::string> arguments(const char* name, const MachineFacts& machine, const LaunchChoice& choice) {
  return options_of(name, machine, choice).at("args").get<std::vector<std::string>>();
}

std::vector<std::string> arguments(const char* name, const MachineFacts& machine, bool software) {
  return arguments(name, machine, choice_of(software));
}

TEST(BrowserKindTest, KindsAreFoundByName) {
  EXPECT_NE(find_browser_kind("chromium"), nullptr);
  EXPECT_EQ(find_browser_kind("netscape"), nullptr);
  EXPECT_EQ(browser_kind_names(), "headless_shell, chromium, chrome, edge, firefox, webkitgtk, remote");
}

TEST(BrowserKindTest, TheSandboxIsOffOnlyWhereItMustBe) {
  EXPECT_THAT(arguments("chromium", {.is_root = false}, true), Not(Contains("--no-sandbox")));
  EXPECT_THAT(arguments("chromium", {.is_root = true}, true), Contains("--no-sandbox"));
  EXPECT_THAT(arguments("headless_shell", {.is_root = false}, true), Contains("--no-sandbox"));
}

TEST(BrowserKindTest, TheAdapterDecidesItsFlags) {
  const auto software = arguments("chromium", {}, true);
  EXPECT_THAT(software, Contains("--use-webgpu-adapter=swiftshader"));
  EXPECT_THAT(software, Contains("--enable-features=WebMachineLearningNeuralNetwork"));
  const auto hardware = arguments("chromium", {}, false);
  EXPECT_THAT(hardware, Not(Contains(HasSubstr("swiftshader"))));
  EXPECT_THAT(hardware, Contains("--enable-features=WebMachineLearningNeuralNetwork,Vulkan"));
  const BrowserKind& firefox = *find_browser_kind("firefox");
  EXPECT_THAT(driver_environment(firefox, choice_of(true)), Contains(Pair("VK_LOADER_DRIVERS_SELECT", "lvp_*")));
  EXPECT_THAT(driver_environment(firefox, choice_of(false)), Not(Contains(Pair("VK_LOADER_DRIVERS_SELECT", "lvp_*"))));
}

TEST(BrowserKindTest, MachineAndConfigurationAddTheirs) {
  EXPECT_THAT(arguments("chromium", {.has_small_shm = true}, true), Contains("--disable-dev-shm-usage"));
  EXPECT_THAT(arguments("chromium", {.has_small_shm = false}, true), Not(Contains("--disable-dev-shm-usage")));
  EXPECT_THAT(arguments("headless_shell", {}, true), Contains("--user-data-dir=/p"));
  EXPECT_THAT(arguments("headless_shell", {}, true), Not(Contains("--headless=new")));
  for (const char* name : {"headless_shell", "chromium", "chrome", "edge", "firefox", "webkitgtk"}) {
    EXPECT_EQ(arguments(name, {}, true).back(), "--extra") << name;
  }
}

TEST(BrowserKindTest, EachFamilyHasItsOwnOptions) {
  const auto capabilities = [](const char* name) {
    return session_capabilities(*find_browser_kind(name), {}, choice_of(true), "/b");
  };
  const json chromium = capabilities("chromium");
  EXPECT_EQ(chromium.at("browserName"), "chrome");
  EXPECT_EQ(chromium.at("pageLoadStrategy"), "none");
  EXPECT_EQ(chromium.at("goog:chromeOptions").at("binary"), "/b");
  EXPECT_EQ(capabilities("edge").at("browserName"), "MicrosoftEdge");
  EXPECT_EQ(capabilities("edge").at("ms:edgeOptions").at("binary"), "/b");
  const json firefox = capabilities("firefox").at("moz:firefoxOptions");
  EXPECT_EQ(firefox.at("binary"), "/b");
  EXPECT_THAT(firefox.at("args").get<std::vector<std::string>>(),
              ::testing::ElementsAre("--headless", "-profile", "/p", "--extra"));
  for (const char* name : {"dom.webgpu.enabled", "dom.webgpu.workers.enabled", "gfx.webgpu.ignore-blocklist"}) {
    EXPECT_EQ(firefox.at("prefs").at(name), true) << name;
  }
  EXPECT_EQ(capabilities("webkitgtk").at("webkitgtk:browserOptions").at("args"), (json{"--automation", "--extra"}));
  EXPECT_EQ(capabilities("remote"), (json{{"pageLoadStrategy", "none"}}));
}

TEST(BrowserKindTest, HeadedLeavesTheHeadlessModeOut) {
  LaunchChoice choice = choice_of(true);
  EXPECT_THAT(arguments("chromium", {}, choice), Contains("--headless=new"));
  EXPECT_THAT(arguments("firefox", {}, choice), Contains("--headless"));
  const auto display = [&choice] {
    const BrowserSpec spec = local_browser(*find_browser_kind("webkitgtk"), {}, {}, choice);
    return std::get<LocalDriverSpec>(spec.driver).display_server;
  };
  EXPECT_EQ(display(), "/usr/bin/Xvfb");
  choice.headed = true;
  EXPECT_THAT(arguments("chromium", {}, choice), Not(Contains("--headless=new")));
  EXPECT_THAT(arguments("firefox", {}, choice), Not(Contains("--headless")));
  EXPECT_EQ(display(), "");
  EXPECT_FALSE(find_browser_kind("headless_shell")->can_be_headed);
}

TEST(BrowserKindTest, DriversGetTheSlotsFolders) {
  const BrowserSpec spec = local_browser(*find_browser_kind("chromium"),
                                         {.supervisor = "/s", .browser = "/b", .driver = "/d"}, {}, choice_of(true));
  const auto& driver = std::get<LocalDriverSpec>(spec.driver);
  EXPECT_EQ(driver.command,
            (std::vector<std::string>{"/d", "--port=0", "--log-path=/l/driver.log", "--log-level=WARNING"}));
  EXPECT_THAT(driver.environment, Contains(Pair("CHROME_LOG_FILE", "/p/chrome.log")));
  EXPECT_EQ(driver.log_folder, "/l");
  EXPECT_THAT(driver_environment(*find_browser_kind("webkitgtk"), choice_of(true)),
              Contains(Pair("JSC_useSharedArrayBuffer", "1")));
  EXPECT_THAT(driver_environment(*find_browser_kind("firefox"), choice_of(true)),
              Contains(Pair("XDG_RUNTIME_DIR", "/t")));
}

TEST(BrowserKindTest, APageBehindTlsIsSecureAndFound) {
  LaunchChoice choice = choice_of(true);
  choice.agent_url = "https://10.0.0.5:8443/agent/";
  const BrowserSpec spec =
      remote_browser({.endpoint = {.host = "grid", .port = 4444}, .keep_alive = std::chrono::seconds(60)},
                     find_browser_kind("chromium"), choice, json::object());
  const auto given = spec.capabilities.at("goog:chromeOptions").at("args").get<std::vector<std::string>>();
  EXPECT_THAT(given, Not(Contains(HasSubstr("treat-insecure-origin"))));
  EXPECT_THAT(given, Contains(HasSubstr("EXCLUDE 10.0.0.5")));
}

TEST(BrowserKindTest, ARemoteBrowserIsAskedForWithoutThisMachinesPaths) {
  LaunchChoice choice = choice_of(true);
  choice.profile.clear();
  choice.agent_url = "http://10.0.0.5:8000/agent/";
  const BrowserSpec spec =
      remote_browser({.endpoint = {.host = "grid", .port = 4444}, .keep_alive = std::chrono::seconds(60)},
                     find_browser_kind("chromium"), choice, {{"shoal:webnn", true}, {"browserName", "other"}});
  EXPECT_EQ(spec.capabilities.at("shoal:webnn"), true);
  EXPECT_EQ(spec.capabilities.at("browserName"), "other");
  const json& options = spec.capabilities.at("goog:chromeOptions");
  EXPECT_FALSE(options.contains("binary"));
  const auto given = options.at("args").get<std::vector<std::string>>();
  EXPECT_THAT(given, Not(Contains(HasSubstr("--user-data-dir"))));
  // Away from loopback the agent's page is no secure context, unless the browser is told so.
  EXPECT_THAT(given, Contains("--unsafely-treat-insecure-origin-as-secure=http://10.0.0.5:8000"));
  EXPECT_THAT(given, Contains(HasSubstr("EXCLUDE 10.0.0.5")));
  EXPECT_THAT(arguments("chromium", {}, true), Not(Contains(HasSubstr("insecure-origin"))));
}

TEST(BrowserKindTest, ThePortIsTheOneOfTheLineThatSaysStarted) {
  const std::string_view chromedriver = find_browser_kind("chromium")->port_words;
  EXPECT_EQ(parse_driver_port("Starting ChromeDriver 156.0.8078.79 on port 0", chromedriver), std::nullopt);
  EXPECT_EQ(parse_driver_port("ChromeDriver was started successfully on port 40123.", chromedriver), 40123);
  EXPECT_EQ(parse_driver_port("Microsoft Edge WebDriver was started successfully on port 1234.", chromedriver), 1234);
  EXPECT_EQ(parse_driver_port("ChromeDriver was started successfully on port 0.", chromedriver), std::nullopt);
  EXPECT_EQ(parse_driver_port("ChromeDriver was started successfully on port 99999.", chromedriver), std::nullopt);
  EXPECT_EQ(parse_driver_port("ChromeDriver was started successfully on port ", chromedriver), std::nullopt);
  const std::string_view geckodriver = find_browser_kind("firefox")->port_words;
  EXPECT_EQ(parse_driver_port("1795279896657\tgeckodriver\tINFO\tListening on 127.0.0.1:39897", geckodriver), 39897);
  EXPECT_EQ(parse_driver_port("1795281092\tMarionette\tINFO\tListening on port 42673", geckodriver), std::nullopt);
  EXPECT_EQ(parse_driver_port("any line 4444", find_browser_kind("webkitgtk")->port_words), std::nullopt);
}

}  // namespace
}  // namespace shoal::webdriver
