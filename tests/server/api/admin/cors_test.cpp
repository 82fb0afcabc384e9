// Pages of other sites: what they may use when their origin is named, on every HTTP route that there is.
#include <gmock/gmock.h>

#include <set>

#include "server/api/admin/routes.hpp"
#include "server/api/openai/routes.hpp"
#include "tests/server/api/admin/scripted_admin.hpp"
#include "tests/server/api/http/http_server_fixture.hpp"

namespace shoal::api::http {
namespace {

using auth::Scope;
using testing::HasSubstr;

constexpr const char* kOurs = "https://app.example";

class CorsTest : public HttpServerTest {
 protected:
  CorsTest() { cors_ = *CorsPolicy::parse("https://app.example,http://localhost:5173"); }
  void add_routes(Router& router) override {
    admin::add_admin_routes(router, *services_, admin_);
    openai::add_openai_routes(router, *services_);
    add_parallel_route(router, *services_);
    add_join_routes(router, *services_, folder_);
  }
  auth::Gate* gate() override { return &gate_; }
  static std::string from(const std::string& origin) {
    return "Origin: " + origin + "\r\nSec-Fetch-Site: cross-site\r\n";
  }
  Answer preflight(const std::string& path, const std::string& method, const std::string& origin = kOurs) {
    return client().ask("OPTIONS", path, "",
                        from(origin) + "Access-Control-Request-Method: " + method +
                            "\r\nAccess-Control-Request-Headers: authorization,content-type,x-stainless-os\r\n");
  }
  static bool says_cors(const Answer& answer) { return answer.head.contains("Access-Control-"); }

  admin::ScriptedAdmin admin_;
  auth::Gate gate_;
};

std::string path_of(const std::string& pattern) { return std::regex_replace(pattern, std::regex(R"(\{|\.*\})"), ""); }

TEST_F(CorsTest, OnlyRoutesForProgramsAreShared) {
  listen();
  std::size_t shared = 0;
  for (const Listed& route : routes_) {
    const std::string path = path_of(route.pattern);
    const bool is_for_pages = path.starts_with("/agent") || path == "/join" || path == "/playground";
    const bool is_open = !is_for_pages && (route.scope == Scope::kInfer || route.scope == Scope::kPublic);
    const Answer asked = preflight(path, route.method);
    const Answer answer = client().ask(route.method, path, "", from(kOurs));
    EXPECT_EQ(asked.status, is_open ? 204 : 403) << route.method << path;
    EXPECT_EQ(says_cors(asked), is_open) << route.method << path;
    EXPECT_EQ(says_cors(answer), is_open) << route.method << path;
    EXPECT_EQ(answer.status == 403, !is_open) << route.method << path;
    EXPECT_FALSE(path.starts_with("/admin") && (is_open || says_cors(asked) || says_cors(answer))) << path;
    shared += is_open ? 1 : 0;
    for (const char* other : {"https://evil.example", "null", "https://app.example.evil.example", "http://app.example",
                              "https://app.example:8443", "https://APP.example"}) {
      const Answer refused = client().ask(route.method, path, "", from(other));
      EXPECT_EQ(refused.status, 403) << other << path;
      EXPECT_FALSE(says_cors(refused)) << other << path;
      EXPECT_FALSE(says_cors(preflight(path, route.method, other))) << other << path;
    }
  }
  EXPECT_GE(shared, 15U);
  EXPECT_FALSE(says_cors(preflight("/nowhere", "GET")));
}

TEST_F(CorsTest, APreflightSaysWhatMayBeSentAndNeedsNoKey) {
  auth::KeyBook book;
  ASSERT_TRUE(book.create({.name = "a"}, "a", "secret", wall_now()));
  gate_.close(std::move(book));
  Client one = client();
  const std::string ask = from("http://localhost:5173") + "Access-Control-Request-Method: POST\r\n";
  const Answer asked = one.ask("OPTIONS", "/v1/embeddings", "", ask);
  EXPECT_EQ(asked.status, 204);
  EXPECT_EQ(asked.header("Access-Control-Allow-Origin"), "http://localhost:5173");
  EXPECT_EQ(asked.header("Access-Control-Allow-Methods"), "POST");
  EXPECT_EQ(asked.header("Access-Control-Allow-Headers"), "Authorization, *");
  EXPECT_EQ(asked.header("Access-Control-Max-Age"), "600");
  EXPECT_EQ(asked.header("Vary"), "Origin");
  EXPECT_EQ(asked.header("Content-Length"), "");
  EXPECT_EQ(asked.header("Access-Control-Allow-Credentials"), "");
  // On the same connection: the answer that says why there is none can be read, too.
  const Answer refused = one.ask("GET", "/v1/models", "", from(kOurs));
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.header("Access-Control-Allow-Origin"), kOurs);
  const Answer answer = one.ask("GET", "/v1/models", "", from(kOurs) + "Authorization: Bearer secret\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), kOurs);
  EXPECT_THAT(answer.header("Access-Control-Expose-Headers"), HasSubstr("Inference-Header-Content-Length"));
}

TEST_F(CorsTest, TheHostIsAskedForAllTheSame) {
  Client one = client();
  one.send("GET /v2 HTTP/1.1\r\nHost: rebound.example\r\n" + from(kOurs) + "\r\n");
  const Answer answer = one.receive();
  EXPECT_EQ(answer.status, 403);
  EXPECT_FALSE(says_cors(answer));
}

TEST_F(CorsTest, AStarIsForEveryPageButNotForEveryRoute) {
  cors_ = *CorsPolicy::parse("*");
  for (const char* origin : {"https://any.example", "null"}) {
    EXPECT_EQ(client().ask("GET", "/v2", "", from(origin)).header("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(client().ask("GET", "/admin/v1/workers", "", from(origin)).status, 403);
    EXPECT_FALSE(says_cors(preflight("/admin/v1/workers", "GET", origin)));
    EXPECT_FALSE(says_cors(client().ask("GET", "/agent/", "", from(origin))));
  }
  EXPECT_FALSE(says_cors(client().ask("GET", "/v2"))) << "programs are told nothing";
}

TEST_F(CorsTest, WithoutOriginsNothingIsShared) {
  cors_ = {};
  EXPECT_EQ(preflight("/v2", "GET").status, 403);
  EXPECT_FALSE(says_cors(preflight("/v2", "GET")));
  EXPECT_EQ(client().ask("GET", "/v2", "", from(kOurs)).status, 403);
  EXPECT_EQ(client().ask("OPTIONS", "/v2").status, 405);
}

TEST(CorsPolicy, TakesOriginsAsBrowsersWriteThem) {
  for (const char* good :
       {"", "*", "https://app.example", "http://[::1]:8000,https://a.b:8443", "http://localhost:443"}) {
    EXPECT_TRUE(CorsPolicy::parse(good)) << good;
  }
  for (const char* bad :
       {"app.example", "https://app.example/", "https://", "https://App.example", "null", "https://a.example,",
        "https://a.example, https://b.example", "ftp://a.example", "https://a.example:443", "http://a.example:80",
        "http://a.example:", "https://*.example", "https://user@a.example"}) {
    ASSERT_FALSE(CorsPolicy::parse(bad)) << bad;
    EXPECT_THAT(CorsPolicy::parse(bad).error().message, HasSubstr("expected http(s)://host[:port]"));
  }
}

}  // namespace
}  // namespace shoal::api::http
