// API keys on every HTTP route that there is, also on those that are added one day.
#include <set>

#include "server/api/openapi/routes.hpp"
#include "server/core/wall_clock.hpp"
#include "tests/server/api/admin/scripted_admin.hpp"
#include "tests/server/api/http/http_server_fixture.hpp"

namespace shoal::api::http {
namespace {

using auth::Scope;

class KeysTest : public HttpServerTest {
 protected:
  KeysTest() {
    auth::KeyBook book;
    for (const Scope scope : {Scope::kInfer, Scope::kAdmin, Scope::kMetrics, Scope::kJoin}) {
      const std::string name(auth::scope_name(scope));
      EXPECT_TRUE(book.create({.name = name, .scopes = {scope}}, name, "secret-" + name, wall_now()));
    }
    EXPECT_TRUE(book.create({.name = "slow", .scopes = {Scope::kInfer}, .requests_per_second = 0.001}, "slow",
                            "secret-slow", wall_now()));
    gate_.close(std::move(book));
  }
  void add_routes(Router& router) override {
    openapi::add_routes(router, *services_, nullptr, admin_);
    add_join_routes(router, *services_, folder_);
  }
  auth::Gate* gate() override { return &gate_; }
  static std::string bearer(Scope scope) {
    return "Authorization: Bearer secret-" + std::string(auth::scope_name(scope)) + "\r\n";
  }

  admin::ScriptedAdmin admin_;
  auth::Gate gate_;
};

// "/a/{b}/{c...}" -> "/a/b/c"
std::string path_of(const std::string& pattern) { return std::regex_replace(pattern, std::regex(R"(\{|\.*\})"), ""); }

TEST_F(KeysTest, EveryRouteWantsAKeyOfItsScopeButTheFewPublicOnes) {
  listen();
  std::set<std::string> open;
  std::size_t closed = 0;
  for (const Listed& route : routes_) {
    const std::string path = path_of(route.pattern);
    const auto status = [&](const std::string& header) { return client().ask(route.method, path, "", header).status; };
    if (route.scope == Scope::kPublic) {
      EXPECT_NE(status(""), 401) << path;
      open.insert(route.pattern);
      continue;
    }
    ++closed;
    const Answer refused = client().ask(route.method, path);
    EXPECT_EQ(refused.status, 401) << route.method << path;
    EXPECT_EQ(refused.header("WWW-Authenticate"), "Bearer");
    EXPECT_NE(refused.body.find("API key is required"), std::string::npos) << refused.body;
    EXPECT_EQ(status("Authorization: Bearer wrong\r\n"), 401) << path;
    for (const Scope scope : {Scope::kInfer, Scope::kAdmin, Scope::kMetrics, Scope::kJoin}) {
      const int got = status(bearer(scope));
      if (scope == route.scope) {
        EXPECT_TRUE(got != 401 && got != 403) << route.method << path << got;
      } else {
        EXPECT_EQ(got, 403) << route.method << path;
      }
    }
  }
  EXPECT_EQ(open, (std::set<std::string>{"/", "/agent", "/agent/", "/agent/{file...}", "/agent/blobs/{sha256}", "/join",
                                         "/playground", "/v2/health/live", "/v2/health/ready"}));
  EXPECT_GE(closed, 30U);
  EXPECT_EQ(client().ask("GET", "/nowhere").status, 404);
}

TEST_F(KeysTest, EachProtocolSaysItInItsOwnWords) {
  const json kserve = client().ask("GET", "/v2").document();
  EXPECT_EQ(kserve["code"], "UNAUTHENTICATED");
  const json openai = client().ask("GET", "/v1/models").document();
  EXPECT_EQ(openai["error"]["code"], "invalid_api_key");
  EXPECT_EQ(openai["error"]["type"], "invalid_request_error");
  EXPECT_EQ(client().ask("GET", "/v1/models", "", "x-api-key: secret-infer\r\n").status, 200);
}

TEST_F(KeysTest, AKeyThatAsksTooOftenIsToldToWait) {
  const std::string slow = "Authorization: Bearer secret-slow\r\n";
  EXPECT_EQ(client().ask("GET", "/v1/models", "", slow).status, 200);
  const Answer refused = client().ask("GET", "/v1/models", "", slow);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(refused.document()["error"]["type"], "rate_limit_error");
  EXPECT_EQ(client().ask("GET", "/v2", "", slow).status, 429);
}

TEST_F(KeysTest, AWrongKeyIsRefusedBeforeTheBodyIsRead) {
  Client client = this->client();
  client.send("POST /v2/models/echo_FP32/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_EQ(client.receive().status, 401);
  EXPECT_TRUE(client.is_closed());
}

}  // namespace
}  // namespace shoal::api::http
