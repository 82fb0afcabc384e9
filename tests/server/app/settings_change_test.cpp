#include "server/app/settings_change.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace shoal::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SettingsChangeTest : public testing::Test {
 protected:
  SettingsChangeTest() {
    // What the tests are told by the environment is no setting.
    for (const char* variable : {"SHOAL_MINILM", "SHOAL_SOURCE_DIR", "SHOAL_FIXTURES", "SHOAL_HOME"}) {
      ::unsetenv(variable);
    }
    write("");
    const auto read = SettingsSource(file_, {}).read(schema_of(running_));
    EXPECT_TRUE(read) << read.error().message;
  }
  ~SettingsChangeTest() override {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
  }
  void write(const std::string& text) { std::ofstream(file_) << text; }
  Result<SettingsChange> change(std::vector<std::pair<std::string, std::string>> flags = {}) {
    return change_of(running_, SettingsSource(file_, std::move(flags)));
  }

  std::string file_ = testing::TempDir() + "shoal_settings_" + std::to_string(::getpid()) + ".yaml";
  Settings running_;
};

TEST_F(SettingsChangeTest, NamesWhatIsAnotherValueAndSplitsItByWhetherItHolds) {
  write("schedule: {max_queue: 7, ageing: 10000ms}\nserver: {http_port: 9}\nlog: {level: warn}\n");
  const auto found = change();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(found->changed, ElementsAre("log.level", "schedule.max_queue")) << "10000ms is the default of 10s";
  EXPECT_THAT(found->needs_restart, ElementsAre("server.http_port"));
  EXPECT_EQ(found->settings.max_queue, 7U);
  EXPECT_EQ(found->settings.log_level, "warn");
  EXPECT_EQ(found->settings.http_port, 8000);
  running_ = found->settings;
  const auto again = change();
  EXPECT_THAT(again->changed, IsEmpty());
  EXPECT_THAT(again->needs_restart, ElementsAre("server.http_port")) << "it is different until then";
  write("");
  EXPECT_THAT(change()->changed, ElementsAre("log.level", "schedule.max_queue")) << "back to the defaults";
}

TEST_F(SettingsChangeTest, FlagsStayAboveTheFile) {
  running_.max_queue = 3;
  write("schedule: {max_queue: 7}\n");
  EXPECT_THAT(change({{"schedule.max_queue", "3"}})->changed, IsEmpty());
}

TEST_F(SettingsChangeTest, WhatIsWrongIsNamed) {
  write("schedule: {max_queue: 0}\n");
  EXPECT_THAT(change().error().message, HasSubstr(file_ + ": schedule.max_queue: "));
  write("server: {cors_origins: '*'}\n");
  EXPECT_THAT(change().error().message, HasSubstr("auth.enabled"));
  write("server: {cors_origins: '*'}\nauth: {enabled: true}\n");
  EXPECT_THAT(change().error().message, HasSubstr("with what takes a restart as it is"));
  std::filesystem::remove(file_);
  EXPECT_EQ(change().error().code, Code::kNotFound);
}

TEST(LiveSettings, AreSettings) {
  Settings settings;
  const config::Schema schema = schema_of(settings);
  std::size_t live = 0;
  for (const config::Setting& setting : schema.settings()) {
    live += is_live(setting.name) ? 1 : 0;
  }
  EXPECT_GE(live, 30U);
  for (const char* fixed : {"server.http_port", "pool.browsers", "auth.enabled", "echo.workers", "models.control"}) {
    EXPECT_NE(schema.find(fixed), nullptr);
    EXPECT_FALSE(is_live(fixed)) << fixed;
  }
}

}  // namespace
}  // namespace shoal::app
