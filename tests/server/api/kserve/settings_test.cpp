#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/api/kserve/log_settings.hpp"
#include "server/api/kserve/trace_settings.hpp"
#include "server/core/log_level.hpp"

namespace shoal::api::kserve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError};

std::string refusal(LogLevel now, const wire::Parameters& changes) {
  const auto level = changed_level(now, changes);
  return level ? "accepted" : level.error().message;
}

TEST(LogSettings, EachLevelHasItsOwn) {
  for (const LogLevel before : kLevels) {
    for (const LogLevel after : kLevels) {
      EXPECT_EQ(changed_level(before, log_settings(after)), after);
    }
    EXPECT_EQ(changed_level(before, {}), before);
  }
}

TEST(LogSettings, WhatIsNotNamedStays) {
  EXPECT_EQ(changed_level(LogLevel::kInfo, {{"log_verbose_level", std::int64_t{1}}}), LogLevel::kDebug);
  EXPECT_EQ(changed_level(LogLevel::kDebug, {{"log_verbose_level", std::uint64_t{0}}}), LogLevel::kInfo);
  EXPECT_EQ(changed_level(LogLevel::kInfo, {{"log_info", false}}), LogLevel::kWarn);
  EXPECT_EQ(changed_level(LogLevel::kInfo, {{"log_info", false}, {"log_warning", false}}), LogLevel::kError);
  EXPECT_EQ(changed_level(LogLevel::kInfo, {{"log_file", std::string()}, {"log_format", std::string("ISO8601")}}),
            LogLevel::kInfo);
}

TEST(LogSettings, RefusesWhatItCannotDoByName) {
  EXPECT_THAT(refusal(LogLevel::kInfo, {{"log_error", false}}), HasSubstr("'log_error' cannot be false"));
  EXPECT_THAT(refusal(LogLevel::kInfo, {{"log_warning", false}}), HasSubstr("'log_warning' cannot be false while"));
  EXPECT_THAT(refusal(LogLevel::kDebug, {{"log_info", false}}), HasSubstr("'log_info' cannot be false while"));
  EXPECT_THAT(refusal(LogLevel::kWarn, {{"log_verbose_level", std::int64_t{1}}}), HasSubstr("'log_info'"));
  EXPECT_THAT(refusal(LogLevel::kInfo, {{"log_verbose_level", std::int64_t{2}}}), HasSubstr("must be 0 or 1"));
  EXPECT_THAT(refusal(LogLevel::kInfo, {{"log_verbose_level", std::int64_t{-1}}}), HasSubstr("must be 0 or 1"));
  EXPECT_THAT(refusal(LogLevel::kInfo, {{"log_verbose_level", true}}), HasSubstr("must be 0 or 1"));
  EXPECT_THAT(refusal(LogLevel::kInfo, {{"log_info", std::string("yes")}}), HasSubstr("must be true or false"));
  EXPECT_THAT(refusal(LogLevel::kInfo, {{"log_file", std::string("/tmp/x")}}),
              HasSubstr("'log_file' cannot be changed"));
  EXPECT_THAT(refusal(LogLevel::kInfo, {{"log_format", std::string("default")}}), HasSubstr("it is 'ISO8601'"));
  EXPECT_THAT(refusal(LogLevel::kInfo, {{"log_loud", true}}), HasSubstr("'log_loud' is not known"));
}

TEST(LogSettings, AChangeIsLoggedAndThenInForce) {
  std::vector<std::string> lines;
  const Log root([&](LogLevel, std::string_view line) { lines.emplace_back(line); }, LogLevel::kInfo,
                 Log::Format::kJson);
  const Log bound = root.with("worker", "w");
  ASSERT_TRUE(change_log(root, {{"log_verbose_level", std::int64_t{1}}}));
  bound.debug("fine");
  ASSERT_TRUE(change_log(root, log_settings(LogLevel::kError)));
  bound.warn("dropped");
  ASSERT_TRUE(change_log(root, {}));
  EXPECT_FALSE(change_log(root, {{"log_file", std::string("x")}, {"log_warning", true}}));
  EXPECT_EQ(level_of(bound), LogLevel::kError);
  EXPECT_THAT(lines, ElementsAre(HasSubstr(R"("from":"info","to":"debug")"), HasSubstr("fine"),
                                 HasSubstr(R"("from":"debug","to":"error")")));
}

TEST(LogSettings, ReadFromJson) {
  EXPECT_EQ(*read_log_settings(""), wire::Parameters());
  EXPECT_EQ(*read_log_settings(R"({"log_info":true,"log_verbose_level":1})"),
            (wire::Parameters{{"log_info", true}, {"log_verbose_level", std::int64_t{1}}}));
  for (const char* bad : {"[]", "{", R"({"log_info":null})", R"({"log_info":[true]})", "{} x"}) {
    EXPECT_FALSE(read_log_settings(bad)) << bad;
  }
}

TEST(TraceSettings, AreOffAndStayOff) {
  EXPECT_TRUE(check_trace_settings({}));
  EXPECT_TRUE(check_trace_settings(trace_settings()));
  EXPECT_TRUE(check_trace_settings({{"trace_level", {}}}));
  EXPECT_THAT(check_trace_settings({{"trace_level", {"TIMESTAMPS"}}}).error().message,
              HasSubstr("'trace_level' cannot be set: this server has no tracer"));
  EXPECT_THAT(check_trace_settings({{"trace_rate", {"1"}}}).error().message, HasSubstr("'trace_rate'"));
  EXPECT_THAT(check_trace_settings({{"trace_loud", {}}}).error().message, HasSubstr("'trace_loud'"));
}

TEST(TraceSettings, ReadFromJson) {
  EXPECT_EQ(*read_trace_settings(""), TraceSettings());
  EXPECT_EQ(*read_trace_settings(R"({"trace_level":["OFF"],"trace_rate":"1","log_frequency":null})"),
            (TraceSettings{{"trace_level", {"OFF"}}, {"trace_rate", {"1"}}, {"log_frequency", {}}}));
  for (const char* bad : {"[]", "{", R"({"trace_level":1})", R"({"trace_level":[["OFF"]]})", "{} x"}) {
    EXPECT_FALSE(read_trace_settings(bad)) << bad;
  }
}

}  // namespace
}  // namespace shoal::api::kserve
