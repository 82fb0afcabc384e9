#include "server/webdriver/browser_kind.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::webdriver {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> arguments(const char* kind, MachineFacts machine, bool software) {
  return browser_arguments(*find_browser_kind(kind), machine,
                           {.software_adapter = software, .profile = "/p", .extra_arguments = {"--extra"}});
}

TEST(BrowserKindTest, KindsAreFoundByName) {
  EXPECT_NE(find_browser_kind("chromium"), nullptr);
  EXPECT_EQ(find_browser_kind("netscape"), nullptr);
  EXPECT_EQ(browser_kind_names(), "headless_shell, chromium");
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
}

TEST(BrowserKindTest, MachineAndConfigurationAddTheirs) {
  EXPECT_THAT(arguments("chromium", {.has_small_shm = true}, true), Contains("--disable-dev-shm-usage"));
  EXPECT_THAT(arguments("chromium", {.has_small_shm = false}, true), Not(Contains("--disable-dev-shm-usage")));
  EXPECT_THAT(arguments("headless_shell", {}, true), Contains("--user-data-dir=/p"));
  EXPECT_EQ(arguments("headless_shell", {}, true).back(), "--extra");
  EXPECT_THAT(arguments("headless_shell", {}, true), Not(Contains("--headless=new")));
}

TEST(BrowserKindTest, ThePortIsTheOneOfTheLineThatSaysStarted) {
  EXPECT_EQ(parse_driver_port("Starting ChromeDriver 156.0.8078.79 on port 0"), std::nullopt);
  EXPECT_EQ(parse_driver_port("ChromeDriver was started successfully on port 40123."), 40123);
  EXPECT_EQ(parse_driver_port("ChromeDriver was started successfully on port 0."), std::nullopt);
  EXPECT_EQ(parse_driver_port("ChromeDriver was started successfully on port 99999."), std::nullopt);
  EXPECT_EQ(parse_driver_port("ChromeDriver was started successfully on port "), std::nullopt);
}

}  // namespace
}  // namespace shoal::webdriver
