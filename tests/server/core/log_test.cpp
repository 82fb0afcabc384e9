#include "server/core/log.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace shoal {
namespace {

TEST(Log, JsonLineCarriesBoundAndOwnFields) {
  std::vector<std::string> lines;
  const Log root([&](LogLevel, std::string_view line) { lines.emplace_back(line); }, LogLevel::kInfo,
                 Log::Format::kJson);
  const Log log = root.with("worker", "headless_shell/0");
  log.info("worker_ready", {{"backends", 2}});
  log.debug("dropped");
  ASSERT_EQ(lines.size(), 1U);
  const auto parsed = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(parsed["level"], "info");
  EXPECT_EQ(parsed["event"], "worker_ready");
  EXPECT_EQ(parsed["worker"], "headless_shell/0");
  EXPECT_EQ(parsed["backends"], 2);
}

TEST(Log, InvalidUtf8IsReplacedNotThrown) {
  std::string line;
  const Log log([&](LogLevel, std::string_view text) { line = text; }, LogLevel::kDebug, Log::Format::kText);
  log.warn("bad_input", {{"text", "\xFF\xFE"}});
  EXPECT_NE(line.find("bad_input"), std::string::npos);
}

TEST(Log, LevelNames) {
  EXPECT_EQ(log_level_from("warn"), LogLevel::kWarn);
  EXPECT_FALSE(log_level_from("loud"));
}

}  // namespace
}  // namespace shoal
