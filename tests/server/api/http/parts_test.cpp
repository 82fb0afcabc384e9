// The pure parts of the HTTP front end: routes, ranges, sites, errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/api/http/byte_range.hpp"
#include "server/api/http/errors.hpp"
#include "server/api/http/router.hpp"
#include "server/api/http/site_policy.hpp"

namespace shoal::api::http {
namespace {

using testing::HasSubstr;

Router router() {
  Router made;
  for (const char* pattern :
       {"/", "/v2", "/v2/models/stats", "/v2/models/{model}", "/v2/models/{model}/versions/{version}", "/agent/",
        "/agent/{file...}", "/agent/blobs/{sha256}"}) {
    made.add("GET", pattern, {.handler = {}, .body_limit = 1, .errors = {}, .guarded = false});
  }
  made.add("POST", "/v2/models/{model}", {.handler = {}, .body_limit = 2, .errors = {}, .guarded = false});
  made.add("POST", "/v1/embeddings", {.handler = {}, .body_limit = 2, .errors = ErrorStyle::kOpenai, .guarded = false});
  return made;
}

TEST(Router, PrefersTextToCaptures) {
  const Router routes = router();
  EXPECT_TRUE(routes.match("GET", "/v2/models/stats").captures.empty());
  const auto model = routes.match("GET", "/v2/models/a%2Fb%zz");
  ASSERT_NE(model.route, nullptr);
  EXPECT_EQ(model.captures.at("model"), "a/b%zz");
  EXPECT_EQ(routes.match("GET", "/v2/models/m/versions/3").captures.at("version"), "3");
  EXPECT_EQ(routes.match("GET", "/agent/ort/x.wasm").captures.at("file"), "ort/x.wasm");
  EXPECT_EQ(routes.match("GET", "/agent/blobs/abc").captures.at("sha256"), "abc");
  EXPECT_TRUE(routes.match("GET", "/agent/").captures.empty());
  EXPECT_NE(routes.match("GET", "/").route, nullptr);
}

TEST(Router, TellsMethodsFromPaths) {
  const Router routes = router();
  EXPECT_EQ(routes.match("DELETE", "/v2/models/m").allowed, "GET, POST");
  EXPECT_EQ(routes.match("DELETE", "/v2/models/m").route, nullptr);
  EXPECT_EQ(routes.match("POST", "/v2/models/m").route->body_limit, 2U);
  EXPECT_EQ(routes.match("HEAD", "/v2").route->body_limit, 1U);
  for (const char* path : {"/v2/", "/v3", "", "v2", "/v2/models/m/", "//v2", "/v2/models/m/x"}) {
    const auto match = routes.match("GET", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_EQ(match.allowed, "") << path;
  }
  EXPECT_EQ(routes.match("GET", "/v1/nothing").errors, ErrorStyle::kOpenai);
}

TEST(ByteRange, FollowsTheRfc) {
  const auto range = [](std::string_view header) {
    const ByteRange parsed = parse_range(header, 100);
    return std::tuple(parsed.kind, parsed.offset, parsed.length);
  };
  using Kind = ByteRange::Kind;
  EXPECT_EQ(range(""), std::tuple(Kind::kWhole, 0U, 100U));
  EXPECT_EQ(range("bytes=0-9"), std::tuple(Kind::kPart, 0U, 10U));
  EXPECT_EQ(range("bytes=90-"), std::tuple(Kind::kPart, 90U, 10U));
  EXPECT_EQ(range("bytes=90-500"), std::tuple(Kind::kPart, 90U, 10U));
  EXPECT_EQ(range("bytes=-10"), std::tuple(Kind::kPart, 90U, 10U));
  EXPECT_EQ(range("bytes=-500"), std::tuple(Kind::kPart, 0U, 100U));
  EXPECT_EQ(range("bytes=100-"), std::tuple(Kind::kUnsatisfiable, 0U, 0U));
  EXPECT_EQ(range("bytes=-0"), std::tuple(Kind::kUnsatisfiable, 0U, 0U));
  for (const char* odd : {"bytes=5-2", "bytes=a-b", "bytes=1-2,4-5", "lines=1-2", "bytes=", "bytes=-", "bytes=1",
                          "bytes=99999999999999999999-"}) {
    EXPECT_EQ(range(odd), std::tuple(Kind::kWhole, 0U, 100U)) << odd;
  }
}

TEST(SitePolicy, LetsProgramsPassAndHoldsOtherSites) {
  const SitePolicy sites(8000, {"shoal.example"});
  EXPECT_TRUE(sites.check("anything", "", "", false));
  EXPECT_TRUE(sites.check("localhost:8000", "", "", true));
  EXPECT_TRUE(sites.check("[::1]:8000", "http://localhost:8000", "same-origin", true));
  EXPECT_TRUE(sites.check("shoal.example", "https://shoal.example", "", true));
  EXPECT_TRUE(sites.check("127.0.0.1:8000", "", "none", false));
  EXPECT_FALSE(sites.check("evil.example:8000", "", "", true));
  EXPECT_FALSE(sites.check("localhost", "", "", true));
  EXPECT_FALSE(sites.check("evil.example:8000", "http://evil.example:8000", "", false));
  EXPECT_FALSE(sites.check("localhost:8000", "http://evil.example", "", false));
  EXPECT_FALSE(sites.check("localhost:8000", "null", "", false));
  EXPECT_FALSE(sites.check("localhost:8000", "http://localhost:8000.evil.example", "", false));
  EXPECT_FALSE(sites.check("localhost:8000", "", "cross-site", false));
  EXPECT_FALSE(sites.check("localhost:8000", "", "same-site", false));
}

TEST(Errors, SpeakTheProtocolOfTheRoute) {
  const Response kserve = error_response(ErrorStyle::kKserve, {Code::kOverloaded, "full \"x\"", "p"});
  EXPECT_EQ(kserve.status, 503U);
  EXPECT_EQ(nlohmann::json::parse(kserve.body), (nlohmann::json{{"error", "full \"x\""}, {"code", "OVERLOADED"}}));
  EXPECT_EQ(kserve.headers.front(), (std::pair<std::string, std::string>("Retry-After", "1")));
  const Response openai = error_response(ErrorStyle::kOpenai, {Code::kOverloaded, "full", ""});
  EXPECT_EQ(openai.status, 429U);
  const auto error = nlohmann::json::parse(openai.body)["error"];
  EXPECT_EQ(error["type"], "rate_limit_error");
  EXPECT_TRUE(error["param"].is_null());
  EXPECT_EQ(error.size(), 4U);
  const Response odd = error_response(ErrorStyle::kKserve, {Code::kNotFound, "no \xff", ""});
  EXPECT_THAT(nlohmann::json::parse(odd.body)["error"], "no ?");
}

}  // namespace
}  // namespace shoal::api::http
