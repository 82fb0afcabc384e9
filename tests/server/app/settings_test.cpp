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
  for (const char* text :
       {"", "kind", "kind=a,count=0", "count=999", "backends=cuda", "backends=wasm+wasm", "colour=red"}) {
    EXPECT_EQ(parse_browsers(text).error().param, "pool.browsers") << text;
  }
  EXPECT_NE(parse_browsers("colour=red").error().message.find("allowed: kind, count"), std::string::npos);
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

}  // namespace
}  // namespace shoal::app
