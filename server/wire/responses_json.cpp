#include "server/wire/responses_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "server/wire/chat_messages.hpp"
#include "server/wire/completion_options.hpp"

namespace shoal::wire {
namespace {

using Json = nlohmann::ordered_json;

std::string text_in(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : std::string();
}

// Calls that stand one behind the other are of one message.
Status add_call(const Json& item, const std::string& where, Json& messages) {
  if (text_in(item, "call_id").empty() || text_in(item, "name").empty() || !item.contains("arguments")) {
    return wrong_member(where, "a function_call with 'call_id', 'name' and 'arguments'");
  }
  if (messages.empty() || messages.back()["role"] != "assistant") {
    messages.push_back({{"role", "assistant"}, {"content", ""}});
  }
  messages.back()["tool_calls"].push_back({{"id", item["call_id"]},
                                           {"type", "function"},
                                           {"function", {{"name", item["name"]}, {"arguments", item["arguments"]}}}});
  return {};
}

Status add_item(const Json& item, const std::string& where, Json& messages) {
  if (!item.is_object()) {
    return wrong_member(where, "an object");
  }
  const std::string type = item.contains("type") ? text_in(item, "type") : "message";
  if (type == "message") {
    messages.push_back({{"role", item.value("role", Json())}, {"content", item.value("content", Json())}});
    return {};
  }
  if (type == "function_call") {
    return add_call(item, where, messages);
  }
  if (type == "function_call_output") {
    messages.push_back(
        {{"role", "tool"}, {"tool_call_id", item.value("call_id", Json())}, {"content", item.value("output", Json())}});
    return {};
  }
  return type == "reasoning"
             ? Status()
             : unsupported_member(where + ".type", "there are message, function_call and function_call_output");
}

Status read_input(const Json& input, Json& messages) {
  if (input.is_string()) {
    messages.push_back({{"role", "user"}, {"content", input}});
    return {};
  }
  if (!input.is_array()) {
    return wrong_member("input", "a string or a list of items");
  }
  for (std::size_t index = 0; index < input.size(); ++index) {
    if (Status status = add_item(input[index], fmt::format("input[{}]", index), messages); !status) {
      return status;
    }
  }
  return {};
}

Status read_include(const Json& include, CompletionOptions& options) {
  for (const Json& one : include) {
    if (one != "message.output_text.logprobs") {
      return unsupported_member("include", "there is 'message.output_text.logprobs'");
    }
    options.wants_logprobs = true;
  }
  return {};
}

// Members that stand for what is not done here, with the only value that they may have.
constexpr std::array<std::array<std::string_view, 3>, 5> kRefused = {{
    {"store", "false", "answers are not kept"},
    {"background", "false", "answers are not kept"},
    {"truncation", "\"disabled\"", "a context that is too long is an error"},
    {"previous_response_id", "\"\"", "answers are not kept: send the whole conversation"},
    {"conversation", "\"\"", "answers are not kept: send the whole conversation"},
}};

Status read_own(std::string_view key, const Json& given, Json& input, ResponsesBody& body) {
  if (key == "input") {
    input = given;
  } else if (key == "instructions") {
    body.instructions = given;
    return given.is_string() ? Status() : wrong_member(key, "a string");
  } else if (key == "tools") {
    body.tools_as_given = given;
    return read_tools(given, true, body.form);
  } else if (key == "tool_choice") {
    body.choice_as_given = given;
    return read_tool_choice(given, true, body.form);
  } else if (key == "text") {
    if (!given.is_object()) {
      return wrong_member(key, "an object");
    }
    return given.contains("format") && !given["format"].is_null()
               ? read_format(given["format"], true, "text.format", body.form)
               : Status();
  } else if (key == "include") {
    return read_include(given, body);
  } else if (key == "metadata") {
    body.metadata = given;
  } else {
    body.user = given;
  }
  return {};
}

bool is_own(std::string_view key) {
  static constexpr std::array<std::string_view, 8> kOwn = {"input", "instructions", "tools",    "tool_choice",
                                                           "text",  "include",      "metadata", "user"};
  return std::ranges::find(kOwn, key) != kOwn.end();
}

}  // namespace

Result<ResponsesBody> parse_responses(std::string_view text) {
  JsonReader reader(text);
  ResponsesBody body;
  Json input;
  const auto own = [&](std::string_view key) -> std::optional<Status> {
    for (const auto& [member, allowed, why] : kRefused) {
      if (key == member) {
        return read_only(reader, key, allowed, why);
      }
    }
    if (key == "max_output_tokens") {
      return read_count(reader, key, 1, std::numeric_limits<std::int32_t>::max(), body.max_tokens.emplace());
    }
    if (key == "parallel_tool_calls") {
      return read_flag(reader, key, body.form.is_parallel);
    }
    if (key == "top_logprobs") {
      return read_count(reader, key, 0, kMaxTopLogprobs, body.top_logprobs);
    }
    if (key == "n" || key == "stream_options") {
      reader.skip_value();
      return Status();
    }
    if (!is_own(key)) {
      return std::nullopt;
    }
    Json given;
    const Status status = read_document(reader, key, given);
    return status ? read_own(key, given, input, body) : status;
  };
  if (Status status = read_members(reader, body, own); !status) {
    return fail(std::move(status.error()));
  }
  body.messages = Json::array();
  if (body.instructions.is_string()) {
    body.messages.push_back({{"role", "system"}, {"content", body.instructions}});
  }
  if (input.is_null()) {
    return fail(Code::kInvalidArgument, "'input' is missing", "input");
  }
  Status status = read_input(input, body.messages);
  if (status) {
    status = check_messages(body.messages, "input");
  }
  if (status) {
    status = check_form(body.form);
  }
  if (!status) {
    return fail(std::move(status.error()));
  }
  return body;
}

}  // namespace shoal::wire
