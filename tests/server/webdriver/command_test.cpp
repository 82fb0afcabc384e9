#include "server/webdriver/command.hpp"

#include <gtest/gtest.h>

namespace shoal::webdriver {
namespace {

using nlohmann::json;

TEST(CommandTest, Requests) {
  const Command create = new_session({{"browserName", "chrome"}});
  EXPECT_EQ(create.method, "POST");
  EXPECT_EQ(create.target, "/session");
  EXPECT_EQ(json::parse(create.body), json::parse(R"({"capabilities":{"alwaysMatch":{"browserName":"chrome"}}})"));
  EXPECT_EQ(navigate("ab", "http://x/").target, "/session/ab/url");
  EXPECT_EQ(json::parse(navigate("ab", "http://x/\xFF").body)["url"], "http://x/\xEF\xBF\xBD");
  EXPECT_EQ(delete_session("ab").method, "DELETE");
  EXPECT_TRUE(delete_session("ab").body.empty());
  EXPECT_EQ(json::parse(set_timeouts("ab", {}).body), json::parse(R"({"script":10000,"pageLoad":30000})"));
  EXPECT_EQ(get_status().target, "/status");
}

TEST(CommandTest, AnswersWithAValue) {
  EXPECT_EQ(*parse_response(200, R"({"value":null})"), nullptr);
  EXPECT_EQ(*parse_response(200, R"({"value":{"ready":true}})"), json({{"ready", true}}));
}

TEST(CommandTest, WhatIsNoAnswerIsUnavailable) {
  for (const char* body : {"", "nonsense", "[]", "{}", "{\"value\"", "\"value\"", "null"}) {
    const auto value = parse_response(200, body);
    ASSERT_FALSE(value) << body;
    EXPECT_EQ(value.error().code, Code::kUnavailable);
  }
}

TEST(CommandTest, ErrorsKeepTheirWordsWithoutTheStack) {
  const auto gone = parse_response(404, R"({"value":{"error":"invalid session id","message":"gone\n#0 0x55"}})");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kNotFound);
  EXPECT_EQ(gone.error().message, "invalid session id: gone");
  const auto created = parse_response(500, R"({"value":{"error":"session not created","message":"no binary"}})");
  EXPECT_EQ(created.error().code, Code::kUnavailable);
  EXPECT_EQ(parse_response(500, R"({"value":{"error":"timeout","message":"m"}})").error().code,
            Code::kDeadlineExceeded);
  EXPECT_EQ(parse_response(400, R"({"value":{"error":"invalid argument","message":"m"}})").error().code,
            Code::kInvalidArgument);
  EXPECT_FALSE(parse_response(500, R"({"value":17})"));
}

TEST(CommandTest, ASessionIdMustFitATarget) {
  const auto session = parse_session(json::parse(
      R"({"sessionId":"3f-A_9","capabilities":{"browserName":"chrome-headless-shell","browserVersion":"153.0"}})"));
  ASSERT_TRUE(session);
  EXPECT_EQ(session->id, "3f-A_9");
  EXPECT_EQ(session->browser_version, "153.0");
  for (const char* value : {"{}", "null", R"({"sessionId":""})", R"({"sessionId":"a/../b"})", R"({"sessionId":"a b"})",
                            R"({"sessionId":7})"}) {
    EXPECT_FALSE(parse_session(json::parse(value))) << value;
  }
}

TEST(CommandTest, TargetsOfDevToolsMustFitATargetToo) {
  EXPECT_EQ(close_target("A1").target, "/json/close/A1");
  EXPECT_EQ(new_target().method, "PUT");
  EXPECT_EQ(*parse_target(R"({"id":"C3","type":"page"})"), "C3");
  for (const char* body : {"", "{}", "[]", "null", R"({"id":"a/b"})"}) {
    EXPECT_FALSE(parse_target(body)) << body;
  }
  EXPECT_EQ(*parse_window(json("A1")), "A1");
  for (const char* value : {"7", "null", "{}", R"("")", R"("../x")"}) {
    EXPECT_FALSE(parse_window(json::parse(value))) << value;
  }
  const auto session = parse_session(
      json::parse(R"({"sessionId":"s","capabilities":{"goog:chromeOptions":{"debuggerAddress":"localhost:4711"}}})"));
  EXPECT_EQ(session->debugger, "localhost:4711");
}

}  // namespace
}  // namespace shoal::webdriver
