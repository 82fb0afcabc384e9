#include "server/app/settings.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "server/app/browser_list.hpp"

namespace shoal::app {
namespace {

TEST(BrowserList, DefaultGivesWebnnABrowserOfItsOwn) {
  const auto groups = parse_browsers(kDefaultBrowsers);
  ASSERT_TRUE(groups);
  const auto slots = slots_of(*groups);
  ASSERT_EQ(slots.size(), 2U);
  EXPECT_EQ(slots[0].first, "headless_shell/0");
  EXPECT_EQ(slots[0].second, (std::vector<Backend>{Backend::kWasm, Backend::kWebgpu}));
  EXPECT_EQ(slots[1].first, "headless_shell/1");
  EXPECT_EQ(slots[1].second, std::vector<Backend>{Backend::kWebnn});
}

TEST(BrowserList, RefusesByKeyWhatIsWrong) {
  for (const char* text : {"",
                           "kind",
                           "kind=a,count=0",
                           "count=999",
                           "count=0",
                           "max=0",
                           "min=2,max=1",
                           "count=3,max=2",
                           "min=2,count=1",
                           "count=200,spares=57",
                           "spares=-1",
                           "tabs=0",
                           "tabs=17",
                           "count=20,tabs=16",
                           "tabs=2,max=3",
                           "tabs=2,spares=1",
                           "kind=firefox,tabs=2",
                           "backends=cuda",
                           "backends=wasm+wasm",
                           "colour=red"}) {
    EXPECT_EQ(parse_browsers(text).error().param, "pool.browsers") << text;
  }
  EXPECT_NE(parse_browsers("colour=red").error().message.find("allowed: kind, count"), std::string::npos);
}

TEST(BrowserList, AGroupHasSlotsForAllThatItMayBecome) {
  const auto numbers = [](const char* text) {
    const auto groups = parse_browsers(text);
    EXPECT_TRUE(groups) << text;
    const pool::BrowserGroup group = groups ? groups->at(0) : pool::BrowserGroup{};
    return std::vector{pool::least_of(group), group.count, pool::most_of(group), group.spares,
                       pool::slot_count_of(group)};
  };
  using Numbers = std::vector<std::uint32_t>;
  EXPECT_EQ(numbers("count=3"), (Numbers{3, 3, 3, 0, 3}));
  EXPECT_EQ(numbers("max=4"), (Numbers{1, 1, 4, 0, 4}));
  EXPECT_EQ(numbers("min=2,max=4"), (Numbers{2, 2, 4, 0, 4}));
  EXPECT_EQ(numbers("min=0,count=0,max=2,spares=1"), (Numbers{0, 0, 2, 1, 3}));
  EXPECT_EQ(slots_of(*parse_browsers("max=2,spares=1;count=1")).back().first, "headless_shell/3");
  EXPECT_EQ(slots_of(*parse_browsers("count=2,tabs=3")).back().first, "headless_shell/5");
  EXPECT_NE(parse_browsers("kind=webkitgtk,tabs=2").error().message.find("tabs: "), std::string::npos);
}

TEST(BrowserList, AGroupSaysWhereItsProgramsAre) {
  const auto groups = parse_browsers("kind=firefox,driver_path=/opt/g,browser_path=/opt/f,headed=true,arguments=-a+-b");
  ASSERT_TRUE(groups) << groups.error().message;
  EXPECT_EQ(groups->at(0).driver_path, "/opt/g");
  EXPECT_EQ(groups->at(0).browser_path, "/opt/f");
  EXPECT_TRUE(groups->at(0).headed);
  EXPECT_EQ(groups->at(0).extra_arguments, (std::vector<std::string>{"-a", "-b"}));
  EXPECT_NE(parse_browsers("kind=headless_shell,headed=true").error().message.find("no window"), std::string::npos);
}

TEST(BrowserList, ARemoteEndHasAnAddressAndWishes) {
  const auto groups = parse_browsers(
      R"(kind=remote,url=http://grid:4444/wd/hub,browser=chromium,keep_alive=5s,agent_url=http://10.0.0.5:8000/agent/,)"
      R"(capabilities={"shoal:webnn": true, "note": "a;b,c={d}\"", "deep": {"x": [1]}},count=2;kind=chromium)");
  ASSERT_TRUE(groups) << groups.error().message;
  ASSERT_EQ(groups->size(), 2U);
  const pool::BrowserGroup& group = groups->at(0);
  EXPECT_EQ(group.remote_url, "http://grid:4444/wd/hub");
  EXPECT_EQ(group.remote_kind, "chromium");
  EXPECT_EQ(group.keep_alive, std::chrono::seconds(5));
  EXPECT_EQ(group.count, 2U);
  EXPECT_EQ(group.capabilities.at("note"), "a;b,c={d}\"");
  EXPECT_EQ(group.capabilities.at("deep").at("x").at(0), 1);
}

TEST(BrowserList, WhatDoesNotBelongTogetherIsRefused) {
  for (const char* text :
       {"kind=remote", "kind=remote,url=grid:4444", "kind=remote,url=http://g,driver_path=/d",
        "kind=chromium,url=http://g", "kind=firefox,capabilities={}", "kind=remote,url=http://g,capabilities=[1]",
        "kind=remote,url=http://g,capabilities={", "kind=remote,url=http://g,browser=netscape",
        "kind=remote,url=http://g,keep_alive=5", "headed=yes"}) {
    const auto groups = parse_browsers(text);
    ASSERT_FALSE(groups) << text;
    EXPECT_EQ(groups.error().param, "pool.browsers") << text;
  }
}

TEST(BrowserList, TheFileHasMaps) {
  Settings settings;
  const config::Schema schema = schema_of(settings);
  const char* file = R"(
pool:
  browsers:
    - kind: remote
      url: http://grid:4444
      capabilities: {browserName: chrome, "shoal:webnn": true, version: "156", deep: {list: [1, two]}}
    - {kind: firefox, backends: [wasm, webgpu]}
)";
  const Status read =
      config::read(schema, {.file_name = "shoal.yaml", .file_text = file, .environment = {}, .flags = {}});
  ASSERT_TRUE(read) << read.error().message;
  const auto groups = parse_browsers(settings.browsers);
  ASSERT_TRUE(groups) << groups.error().message;
  const nlohmann::json expected = {
      {"browserName", "chrome"}, {"shoal:webnn", true}, {"version", "156"}, {"deep", {{"list", {1, "two"}}}}};
  EXPECT_EQ(groups->at(0).capabilities, expected);
  EXPECT_EQ(groups->at(1).backends, (std::vector<Backend>{Backend::kWasm, Backend::kWebgpu}));
}

TEST(Settings, DefaultsReadBackAndPassTheCrossChecks) {
  Settings settings;
  const config::Schema schema = schema_of(settings);
  ASSERT_TRUE(config::read(schema, {}));
  EXPECT_TRUE(check(settings));
  EXPECT_EQ(settings.http_port, 8000);
  EXPECT_EQ(settings.grpc_port, 8001);
  EXPECT_EQ(settings.metrics_port, 8002);
}

TEST(Settings, BrowserPathsDoNotDependOnTheWorkingDirectoryOfDrivers) {
  Settings settings;
  const config::Schema schema = schema_of(settings);
  ASSERT_TRUE(config::read(
      schema,
      {.file_name = {}, .file_text = {}, .environment = {}, .flags = {{"pool.headless_shell", "tools/shell"}}}));
  const auto pool = pool_config_of(settings);
  ASSERT_TRUE(pool);
  EXPECT_EQ(pool->groups.at(0).browser_path, std::filesystem::absolute("tools/shell"));
  EXPECT_EQ(pool->groups.at(0).driver_path, "");
}

TEST(Settings, OpenBindWithoutKeysIsRefused) {
  Settings settings;
  const config::Schema schema = schema_of(settings);
  config::Sources sources{.file_name = {}, .file_text = {}, .environment = {}, .flags = {{"server.host", "0.0.0.0"}}};
  ASSERT_TRUE(config::read(schema, sources));
  EXPECT_EQ(check(settings).error().param, "server.host");
  sources.flags.emplace_back("server.insecure", "true");
  ASSERT_TRUE(config::read(schema, sources));
  EXPECT_TRUE(check(settings));
}

TEST(Settings, PagesOfOtherSitesAreNamedOrHaveKeys) {
  Settings settings;
  const config::Schema schema = schema_of(settings);
  const auto refused = [&](const std::vector<std::pair<std::string, std::string>>& flags) {
    const Status read = config::read(
        schema, {.file_name = {}, .file_text = {}, .environment = {}, .flags = {flags.begin(), flags.end()}});
    EXPECT_TRUE(read);
    const Status checked = check(settings);
    return checked ? "" : checked.error().param;
  };
  EXPECT_EQ(refused({{"server.cors_origins", "https://app.example,http://localhost:5173"}}), "");
  EXPECT_EQ(refused({{"server.cors_origins", "https://app.example/"}}), "server.cors_origins");
  EXPECT_EQ(refused({{"server.cors_origins", "*"}}), "server.cors_origins");
  EXPECT_EQ(refused({{"server.cors_origins", "*"}, {"server.insecure", "true"}}), "server.cors_origins");
  EXPECT_EQ(refused({{"server.cors_origins", "*"}, {"auth.enabled", "true"}}), "");
}

}  // namespace
}  // namespace shoal::app
