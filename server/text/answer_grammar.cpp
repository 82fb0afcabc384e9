#include "server/text/answer_grammar.hpp"

#include <fmt/format.h>

#include <utility>

namespace shoal::text {
namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

// A literal of a grammar is written as a string of JSON is.
std::string literal(const std::string& text) { return dumped(Json(text)); }

}  // namespace

std::string schema_grammar(Json schema) {
  if (schema.is_object()) {
    schema["x-guidance"] = {{"whitespace_pattern", "[\\x20\\n]{1,12}"}};
  }
  return dumped(schema);
}

std::string call_grammar(ToolStyle style, std::span<const Tool> tools, bool is_parallel) {
  const bool is_hermes = style == ToolStyle::kHermes;
  std::string out = is_parallel ? fmt::format("start: call ({} call)*\n", literal(is_hermes ? "\n" : "; "))
                                : std::string("start: call\n");
  out += is_hermes ? "call: \"<tool_call>\\n\" one \"\\n</tool_call>\"\n" : "call: one\n";
  out += "one: ";
  for (std::size_t index = 0; index < tools.size(); ++index) {
    out += fmt::format("{}tool{}", index > 0 ? " | " : "", index);
  }
  out += "\n";
  for (std::size_t index = 0; index < tools.size(); ++index) {
    const std::string head =
        fmt::format(R"({{"name": {}, "{}": )", literal(tools[index].name), is_hermes ? "arguments" : "parameters");
    out += fmt::format("tool{}: {} %json {} \"}}\"\n", index, literal(head), schema_grammar(tools[index].parameters));
  }
  return out;
}

}  // namespace shoal::text
