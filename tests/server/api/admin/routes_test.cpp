#include "server/api/admin/routes.hpp"

#include "tests/server/api/admin/scripted_admin.hpp"
#include "tests/server/api/http/http_server_fixture.hpp"

namespace shoal::api::http {
namespace {

using admin::ScriptedAdmin;

class AdminRoutesTest : public HttpServerTest {
 protected:
  void add_routes(Router& router) override { admin::add_admin_routes(router, *services_, admin_); }
  ScriptedAdmin admin_;
};

const std::string kWorker = "/admin/v1/workers/chromium/0";

TEST_F(AdminRoutesTest, EachRouteAsksItsFunction) {
  const std::vector<std::tuple<std::string, std::string, std::string, std::string>> routes = {
      {"GET", "/admin/v1/workers", "", "list"},
      {"GET", kWorker, "", "inspect"},
      {"GET", "/admin/v1/workers/chromium%2F0", "", "inspect"},
      {"POST", kWorker + "/drain", R"({"reason":"a new disk"})", "drain a new disk"},
      {"POST", kWorker + "/drain", "", "drain "},
      {"POST", "/admin/v1/workers/chromium%2F0/resume", "{}", "resume"},
      {"POST", kWorker + "/recycle", "", "recycle"},
      {"POST", kWorker + "/recycle", R"({"force":true})", "recycle by force"},
      {"POST", kWorker + "/kill", "", "kill"},
      {"POST", kWorker + "/debug", R"({"shaders":true,"trace_ms":5})", "debug shaders"},
      {"GET", "/admin/v1/events?after=12&limit=3", "", "events 12 3"},
      {"GET", "/admin/v1/events", "", "events 0 0"},
      {"POST", "/admin/v1/drain", R"({"reason":"a new disk","grace_ms":250})", "drain_server a new disk 250"},
      {"POST", "/admin/v1/drain", "", "drain_server "},
      {"POST", "/admin/v1/reload", "{}", "reload"},
  };
  for (const auto& [method, path, body, asked] : routes) {
    const Answer answer = client().ask(method, path, body);
    EXPECT_EQ(answer.status, 200) << path << answer.body;
    EXPECT_EQ(answer.header("Content-Type"), "application/json");
    ASSERT_FALSE(admin_.asked.empty()) << path;
    EXPECT_EQ(admin_.asked.back(), asked) << path;
    // Of a page of another site, whatever the route.
    EXPECT_EQ(client().ask(method, path, body, "Origin: http://evil.example\r\n").status, 403) << path;
    EXPECT_EQ(client().ask(method, path, body, "Sec-Fetch-Site: cross-site\r\n").status, 403) << path;
    admin_.asked.clear();
  }
  // 64-bit numbers are numbers.
  EXPECT_EQ(client().ask("GET", kWorker).document()["restarts"], std::uint64_t{1} << 40);
}

TEST_F(AdminRoutesTest, AForgedHostIsRefusedEvenWithoutABrowsersHeaders) {
  Client client = this->client();
  client.send("GET /admin/v1/workers HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(client.receive().status, 403);
  EXPECT_TRUE(admin_.asked.empty());
}

TEST_F(AdminRoutesTest, AnUnknownSlotIsNotFoundAndNamed) {
  Client client = this->client();
  for (const std::string path :
       {"/admin/v1/workers/chromium/7", "/admin/v1/workers/chromium/7/drain", "/admin/v1/workers/chromium/7/kill",
        "/admin/v1/workers/chromium/7/debug", "/admin/v1/workers/nonsense"}) {
    const Answer answer =
        client.ask(path.ends_with("drain") || path.ends_with("kill") || path.ends_with("debug") ? "POST" : "GET", path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.document()["code"], "NOT_FOUND");
    EXPECT_NE(answer.body.find(path.ends_with("nonsense") ? "'nonsense'" : "'chromium/7'"), std::string::npos)
        << answer.body;
  }
}

TEST_F(AdminRoutesTest, WhatIsWrongIsSaid) {
  Client client = this->client();
  EXPECT_EQ(client.ask("GET", kWorker + "/drain").status, 405);
  EXPECT_EQ(client.ask("POST", "/admin/v1/workers").status, 405);
  EXPECT_EQ(client.ask("GET", "/admin/v1/nothing").status, 404);
  for (const std::string body : {"[", "{\"reason\":3}", "{\"speed\":1}", "\"\xff\""}) {
    const Answer answer = client.ask("POST", kWorker + "/drain", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.document()["code"], "INVALID_ARGUMENT") << body;
  }
  for (const std::string query : {"after=x", "after", "limit=-1", "since=1"}) {
    EXPECT_EQ(client.ask("GET", "/admin/v1/events?" + query).status, 400) << query;
  }
  for (const std::string backends : {"[null]", "[[\"wasm\"]]", "[\"wasm\",[]]"}) {
    const Answer answer = client.ask("POST", "/admin/v1/join/tokens", R"({"name":"a","backends":)" + backends + "}");
    EXPECT_EQ(answer.status, 400) << backends;
    EXPECT_NE(answer.body.find("backends"), std::string::npos) << answer.body;
  }
  EXPECT_TRUE(admin_.asked.empty());
}

}  // namespace
}  // namespace shoal::api::http
