#include "server/wire/answer_form.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "server/wire/completion_options.hpp"

namespace shoal::wire {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ToolChoice::Kind;

std::string text_in(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string() ? object[key].get<std::string>()
                                                                               : std::string();
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           letter == '_' || letter == '-' || letter == '.';
  });
}

bool is_named(const Json& tool, std::string_view name) { return text_in(tool["function"], "name") == name; }

}  // namespace

Status read_tools(const Json& document, bool is_flat, AnswerForm& form) {
  if (!document.is_array() || document.size() > kMaxTools) {
    return wrong_member("tools", fmt::format("a list of up to {} tools", kMaxTools));
  }
  Json tools = Json::array();
  for (std::size_t index = 0; index < document.size(); ++index) {
    const std::string where = fmt::format("tools[{}]", index);
    const Json& given = document[index];
    if (text_in(given, "type") != "function") {
      return unsupported_member(where + ".type", "tools are of type 'function'");
    }
    const std::string inside = is_flat ? where : where + ".function";
    const Json function = is_flat ? given : given.value("function", Json());
    const std::string name = text_in(function, "name");
    if (!is_name(name)) {
      return wrong_member(inside + ".name", "of 1 to 64 letters, digits, '_', '-' and '.'");
    }
    Json made = {{"name", name}};
    if (const Json description = function.value("description", Json()); description.is_string()) {
      made["description"] = description;
    } else if (!description.is_null()) {
      return wrong_member(inside + ".description", "a string");
    }
    Json parameters = function.value("parameters", Json());
    if (parameters.is_null()) {
      parameters = {{"type", "object"}, {"properties", Json::object()}};
    }
    if (!parameters.is_object()) {
      return wrong_member(inside + ".parameters", "a JSON schema");
    }
    made["parameters"] = std::move(parameters);
    tools.push_back({{"type", "function"}, {"function", std::move(made)}});
  }
  form.tools = tools.empty() ? Json() : std::move(tools);
  return {};
}

Status read_tool_choice(const Json& document, bool is_flat, AnswerForm& form) {
  const std::string word = document.is_string() ? document.get<std::string>() : "";
  if (word == "auto" || word == "none" || word == "required") {
    form.choice.kind = word == "auto" ? Kind::kAuto : word == "none" ? Kind::kNone : Kind::kRequired;
    return {};
  }
  const Json function = is_flat || !document.is_object() ? document : document.value("function", Json());
  form.choice = {.kind = Kind::kNamed, .name = text_in(function, "name")};
  return text_in(document, "type") == "function" && !form.choice.name.empty()
             ? Status()
             : wrong_member("tool_choice", "'auto', 'none', 'required' or the name of a function");
}

Status read_format(const Json& document, bool is_flat, const std::string& member, AnswerForm& form) {
  const std::string type = text_in(document, "type");
  form.format = document;
  if (type == "text") {
    return {};
  }
  if (type == "json_object") {
    form.schema = Json{{"type", "object"}};
    return {};
  }
  if (type != "json_schema") {
    return wrong_member(member + ".type", "'text', 'json_object' or 'json_schema'");
  }
  const Json inside = is_flat ? document : document.value("json_schema", Json());
  const std::string where = is_flat ? member : member + ".json_schema";
  if (!is_name(text_in(inside, "name"))) {
    return wrong_member(where + ".name", "of 1 to 64 letters, digits, '_', '-' and '.'");
  }
  if (!inside.contains("schema") || !inside["schema"].is_object()) {
    return wrong_member(where + ".schema", "a JSON schema");
  }
  form.schema = inside["schema"];
  return {};
}

Status check_form(const AnswerForm& form) {
  const Kind kind = form.choice.kind;
  if (form.tools.is_null()) {
    return kind == Kind::kRequired || kind == Kind::kNamed
               ? wrong_member("tool_choice", "'auto' or 'none' without 'tools'")
               : Status();
  }
  if (kind == Kind::kNamed &&
      std::ranges::none_of(form.tools, [&](const Json& tool) { return is_named(tool, form.choice.name); })) {
    return wrong_member("tool_choice",
                        fmt::format("one of the 'tools', among which '{:.64}' is not", form.choice.name));
  }
  if (form.schema && kind != Kind::kNone) {
    return unsupported_member("response_format",
                              "an answer is either a call or JSON by a schema; say \"tool_choice\": \"none\"");
  }
  return {};
}

}  // namespace shoal::wire
