#include "server/webdriver/endpoint.hpp"

#include <gtest/gtest.h>

namespace shoal::webdriver {
namespace {

TEST(EndpointTest, PartsOfAnAddress) {
  const auto grid = parse_endpoint("http://grid.example:4444/wd/hub/");
  ASSERT_TRUE(grid);
  EXPECT_EQ(grid->host, "grid.example");
  EXPECT_EQ(grid->port, 4444);
  EXPECT_EQ(grid->path, "/wd/hub");
  EXPECT_EQ(url_of(*grid), "http://grid.example:4444/wd/hub");
  EXPECT_EQ(parse_endpoint("http://10.0.0.1")->port, 80);
  EXPECT_EQ(parse_endpoint("http://10.0.0.1/")->path, "");
  const auto v6 = parse_endpoint("http://[::1]:4444");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(authority_of(*v6), "[::1]:4444");
}

TEST(EndpointTest, APageMayBeBehindTls) {
  const auto page = parse_page_url("https://shoal.example/agent/");
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->is_tls);
  EXPECT_EQ(page->port, 443);
  EXPECT_EQ(url_of(*page), "https://shoal.example:443/agent");
  EXPECT_FALSE(parse_page_url("http://shoal.example:8000")->is_tls);
  ASSERT_FALSE(parse_page_url("wss://shoal.example"));
  EXPECT_NE(parse_page_url("wss://x").error().message.find("http[s]://host"), std::string::npos);
}

TEST(EndpointTest, WhatIsNoneIsRefusedWithWhatWasExpected) {
  for (const char* text :
       {"", "grid", "grid:4444", "https://grid", "http://", "http:///path", "http://:4444",
        "http://grid:", "http://grid:0", "http://grid:65536", "http://grid:44x", "http://user@grid",
        "http://user:1@grid", "http://[::1", "http://[::1]x", "http://grid/a b", "http://grid/?q", "http://gr id"}) {
    const auto parsed = parse_endpoint(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find("http://host[:port][/path]"), std::string::npos);
  }
}

}  // namespace
}  // namespace shoal::webdriver
