// The description and the router say the same of every route: also of those that are added one day.
#include <algorithm>
#include <set>

#include "engine/core/code.hpp"
#include "server/api/openapi/routes.hpp"
#include "tests/server/api/admin/scripted_admin.hpp"
#include "tests/server/api/http/http_server_fixture.hpp"

namespace shoal::api::http {
namespace {

// What only the server's own browsers and devices ask for.
const std::set<std::string> kNotForPrograms = {
    "/", "/agent", "/agent/", "/agent/{file...}", "/agent/blobs/{sha256}", "/join", "/playground"};

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char letter) { return std::toupper(letter); });
  return text;
}

class DescriptionTest : public HttpServerTest {
 protected:
  void add_routes(Router& router) override {
    openapi::add_routes(router, *services_, nullptr, admin_);
    add_join_routes(router, *services_, folder_);
  }
  void SetUp() override {
    const Answer answer = client().ask("GET", "/openapi.json");
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("Content-Type"), "application/json");
    document_ = answer.document();
  }
  // visit(path, method, operation)
  template <class Visit>
  void each_operation(Visit visit) const {
    for (const auto& [path, item] : document_["paths"].items()) {
      for (const auto& [name, operation] : item.items()) {
        if (operation.is_object()) {
          visit(path, upper(name), operation);
        }
      }
    }
  }
  // "GET /v2 infer" of every operation.
  [[nodiscard]] std::set<std::string> described() const {
    std::set<std::string> lines;
    each_operation([&](const std::string& path, const std::string& method, const json& operation) {
      const json& security = operation.at("security");
      std::string scope = "public";
      if (!security.empty()) {
        scope = security[0]["bearer"][0];
        EXPECT_EQ(security, json::array({{{"bearer", {scope}}}, {{"header", {scope}}}})) << path;
      }
      lines.insert(method + " " + path + " " + scope);
    });
    return lines;
  }

  admin::ScriptedAdmin admin_;
  json document_;
};

TEST_F(DescriptionTest, EveryRouteIsDescribedWithItsScopeAndNothingElseIs) {
  std::set<std::string> served;
  for (const Listed& route : routes_) {
    if (!kNotForPrograms.contains(route.pattern)) {
      const std::string scope(route.scope == auth::Scope::kPublic ? "public" : auth::scope_name(route.scope));
      served.insert(route.method + " " + route.pattern + " " + scope);
    }
  }
  EXPECT_EQ(described(), served);
  EXPECT_GE(served.size(), 50U);
}

void each_reference(const json& value, const std::function<void(const std::string&)>& visit) {
  for (const auto& [name, member] : value.items()) {
    if (name == "$ref" && member.is_string()) {
      visit(member.get<std::string>());
    } else if (member.is_structured()) {
      each_reference(member, visit);
    }
  }
}

TEST_F(DescriptionTest, ReferencesLeadSomewhereAndNothingIsDescribedForNobody) {
  std::set<std::string> used;
  each_reference(document_, [&](const std::string& reference) {
    ASSERT_TRUE(reference.starts_with("#/")) << reference;
    EXPECT_TRUE(document_.contains(json::json_pointer(reference.substr(1)))) << reference;
    used.insert(reference);
  });
  for (const char* kind : {"schemas", "parameters", "responses", "requestBodies", "headers"}) {
    for (const auto& [name, component] : document_["components"][kind].items()) {
      EXPECT_TRUE(used.contains("#/components/" + std::string(kind) + "/" + name)) << name;
    }
  }
}

TEST_F(DescriptionTest, EveryOperationHasItsNameItsParametersAndTheCommonAnswers) {
  std::set<std::string> names;
  each_operation([&](const std::string& path, const std::string& method, const json& operation) {
    const std::string name = operation.at("operationId");
    EXPECT_TRUE(names.insert(name).second) << name;
    std::set<std::string> wanted;
    const std::regex capture(R"(\{([a-z0-9]+)\})");
    for (auto found = std::sregex_iterator(path.begin(), path.end(), capture); found != std::sregex_iterator();
         ++found) {
      wanted.insert((*found)[1]);
    }
    std::set<std::string> given;
    for (json parameter : document_["paths"][path].value("parameters", json::array())) {
      if (parameter.contains("$ref")) {
        parameter = document_[json::json_pointer(parameter["$ref"].get<std::string>().substr(1))];
      }
      EXPECT_EQ(parameter.at("in"), "path") << path;
      given.insert(parameter.at("name"));
    }
    EXPECT_EQ(given, wanted) << method << path;
    // What is not offered answers nothing else.
    EXPECT_TRUE(operation["responses"].contains("200") || operation["summary"] == "Not offered: 501") << method << path;
    for (const char* status : {"400", "403", "408", "431", "500", "501", "503"}) {
      EXPECT_TRUE(operation["responses"].contains(status)) << method << path << status;
    }
    const bool has_key = !operation["security"].empty();
    EXPECT_EQ(operation["responses"].contains("401"), has_key) << method << path;
    const bool is_openai = operation["tags"].at(0) == "openai";
    EXPECT_EQ(operation["responses"]["400"]["$ref"],
              std::string("#/components/responses/") + (is_openai ? "OpenAiBadRequest" : "BadRequest"));
  });
}

TEST_F(DescriptionTest, SaysWhichVersionAndWhichCodesThereAre) {
  EXPECT_EQ(document_["openapi"], "3.1.0");
  EXPECT_EQ(document_["info"]["version"], services_->version);
  EXPECT_EQ(document_["components"]["schemas"]["Code"]["enum"], json(kCodeNames));
}

}  // namespace
}  // namespace shoal::api::http
