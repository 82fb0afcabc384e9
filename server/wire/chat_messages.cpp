#include "server/wire/chat_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "server/wire/completion_options.hpp"

namespace shoal::wire {
namespace {

using Json = nlohmann::ordered_json;

bool has_text(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string();
}

Status join_parts(Json& message, const std::string& where) {
  const auto content = message.find("content");
  if (content == message.end() || content->is_string() || content->is_null()) {
    return {};
  }
  if (!content->is_array()) {
    return wrong_member(where + ".content", "a string or a list of parts");
  }
  static constexpr std::array<std::string_view, 3> kTexts = {"text", "input_text", "output_text"};
  std::string text;
  for (const Json& part : *content) {
    if (!has_text(part, "type") || !has_text(part, "text") ||
        std::ranges::find(kTexts, part["type"].get_ref<const std::string&>()) == kTexts.end()) {
      return unsupported_member(where + ".content", "only parts of type 'text' are read");
    }
    text += part["text"].get_ref<const std::string&>();
  }
  *content = std::move(text);
  return {};
}

// The API has arguments as a text of JSON; templates write them as JSON themselves.
Status open_calls(Json& message, const std::string& where) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || calls->is_null()) {
    return {};
  }
  constexpr std::string_view kExpected =
      "a list of {\"id\", \"type\": \"function\", \"function\": {\"name\", \"arguments\"}}";
  if (!calls->is_array()) {
    return wrong_member(where + ".tool_calls", kExpected);
  }
  for (Json& call : *calls) {
    if (!call.is_object() || !call.contains("function") || !has_text(call["function"], "name")) {
      return wrong_member(where + ".tool_calls", kExpected);
    }
    Json& arguments = call["function"]["arguments"];
    Json inside = arguments.is_string() ? Json::parse(arguments.get_ref<const std::string&>(), nullptr, false)
                                        : std::exchange(arguments, nullptr);
    if (!inside.is_object()) {
      return wrong_member(where + ".tool_calls", "of calls whose 'arguments' are the text of a JSON object");
    }
    arguments = std::move(inside);
  }
  return {};
}

Status check_message(Json& message, const std::string& where) {
  static constexpr std::array<std::string_view, 5> kRoles = {"system", "developer", "user", "assistant", "tool"};
  if (!has_text(message, "role") ||
      std::ranges::find(kRoles, message["role"].get_ref<const std::string&>()) == kRoles.end()) {
    return wrong_member(where + ".role", "'system', 'developer', 'user', 'assistant' or 'tool'");
  }
  const std::string role = message["role"];
  if (role == "developer") {
    message["role"] = "system";  // the older name, which templates know
  }
  const bool has_calls = role == "assistant" && message.contains("tool_calls") && !message["tool_calls"].is_null();
  if (!has_calls && (!message.contains("content") || message["content"].is_null())) {
    return wrong_member(where + ".content", "a string or a list of parts");
  }
  if (role == "tool" && !has_text(message, "tool_call_id")) {
    return wrong_member(where + ".tool_call_id", "the id of the call that this is the result of");
  }
  if (Status status = join_parts(message, where); !status) {
    return status;
  }
  return open_calls(message, where);
}

}  // namespace

Status check_messages(Json& messages, std::string_view member) {
  if (!messages.is_array() || messages.empty()) {
    return wrong_member(member, "a list of at least one message");
  }
  for (std::size_t index = 0; index < messages.size(); ++index) {
    if (Status status = check_message(messages[index], fmt::format("{}[{}]", member, index)); !status) {
      return status;
    }
  }
  return {};
}

}  // namespace shoal::wire
