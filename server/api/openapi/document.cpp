#include "server/api/openapi/document.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "server/api/openapi/fragments.hpp"

namespace shoal::api::openapi {
namespace {

using nlohmann::ordered_json;
using Statuses = std::pair<const char*, const char*>;  // status, and the name of its response

constexpr std::array<Statuses, 7> kOfAll = {{{"400", "BadRequest"},
                                             {"403", "Forbidden"},
                                             {"408", "RequestTimeout"},
                                             {"431", "HeaderTooLong"},
                                             {"500", "Internal"},
                                             {"501", "NotImplemented"},
                                             {"503", "Unavailable"}}};
constexpr std::array<Statuses, 2> kOfKeys = {{{"401", "Unauthenticated"}, {"429", "TooMany"}}};

void add_common(ordered_json& operation, std::string_view prefix) {
  ordered_json& responses = operation["responses"];
  const auto add = [&](const Statuses& one) {
    if (!responses.contains(one.first)) {
      responses[one.first] = {{"$ref", "#/components/responses/" + std::string(prefix) + one.second}};
    }
  };
  for (const Statuses& one : kOfAll) {
    add(one);
  }
  if (!operation["security"].empty()) {
    for (const Statuses& one : kOfKeys) {
      add(one);
    }
  }
}

}  // namespace

std::string document(std::string_view version) {
  ordered_json document = ordered_json::parse(kFragments.front());
  for (const std::string_view fragment : kFragments) {
    document.merge_patch(ordered_json::parse(fragment));
  }
  document["info"]["version"] = version;
  for (auto& [path, item] : document["paths"].items()) {
    for (auto& [name, operation] : item.items()) {
      if (operation.is_object()) {
        const bool is_openai = path.starts_with("/v1/") || path == "/tokenize" || path == "/detokenize";
        add_common(operation, is_openai ? "OpenAi" : "");
      }
    }
  }
  return document.dump();
}

}  // namespace shoal::api::openapi
