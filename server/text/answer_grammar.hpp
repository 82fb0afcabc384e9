// Grammars of answers, for Grammars: JSON by a schema, calls of tools as a model writes them. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "server/text/tool_calls.hpp"

namespace shoal::text {

// A schema for Grammars::json_schema(): this one, with white space between the parts of the answer bounded, since a
// model may never leave it otherwise.
std::string schema_grammar(nlohmann::ordered_json schema);

struct Tool {
  std::string name;
  nlohmann::ordered_json parameters;  // a JSON schema
};

// For Grammars::lark(): one call of one of these tools, or with `is_parallel` one or more. Requires: a style that has
// calls, and a tool.
std::string call_grammar(ToolStyle style, std::span<const Tool> tools, bool is_parallel);

}  // namespace shoal::text
