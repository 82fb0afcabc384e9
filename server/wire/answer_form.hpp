// What form a request wants its answer in: calls of tools, JSON by a schema. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "engine/core/result.hpp"

namespace shoal::wire {

inline constexpr std::size_t kMaxTools = 128;

struct ToolChoice {
  enum class Kind : std::uint8_t { kAuto, kNone, kRequired, kNamed };
  Kind kind = Kind::kAuto;
  std::string name;  // of kNamed
};

struct AnswerForm {
  // A list of {"type": "function", "function": {"name", "description", "parameters"}}, or null.
  nlohmann::ordered_json tools = nullptr;
  ToolChoice choice = {};
  bool is_parallel = true;                             // several calls in one answer
  std::optional<nlohmann::ordered_json> schema = {};   // that the answer obeys
  nlohmann::ordered_json format = {{"type", "text"}};  // what the request said, for an answer that repeats it
};

// kInvalidArgument with `param` = the member at fault. `is_flat`: as /v1/responses has them, without the object
// `function` or `json_schema` around names and schemas.
Status read_tools(const nlohmann::ordered_json& document, bool is_flat, AnswerForm& form);
Status read_tool_choice(const nlohmann::ordered_json& document, bool is_flat, AnswerForm& form);
// `member` is its name: response_format, or text.format.
Status read_format(const nlohmann::ordered_json& document, bool is_flat, const std::string& member, AnswerForm& form);
// That the parts agree: a choice needs tools, a named one this tool.
Status check_form(const AnswerForm& form);

}  // namespace shoal::wire
