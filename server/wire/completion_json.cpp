#include "server/wire/completion_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "server/wire/completion_options.hpp"

namespace shoal::wire {
namespace {

using Kind = JsonReader::Kind;
using Json = nlohmann::ordered_json;

Status read_response_format(JsonReader& reader) {
  Json format;
  if (Status status = read_document(reader, "response_format", format); !status) {
    return status;
  }
  const bool is_text = format.is_object() && format.value("type", Json()) == "text";
  return is_text ? Status()
                 : unsupported_member("response_format", "answers are text; leave it out, or say {\"type\": \"text\"}");
}

// The members of a request, those of `own` first. `null` is as if it were not there.
template <class Body, class Own>
Status read_members(JsonReader& reader, Body& body, Own own) {
  bool has_stream_options = false;
  if (!reader.enter_object()) {
    return reader.ok() ? fail(Code::kInvalidArgument, "the request must be a JSON object") : reader.status();
  }
  while (const auto key = reader.next_key()) {
    if (reader.peek() == Kind::kNull) {
      reader.read_null();
      continue;
    }
    has_stream_options = has_stream_options || *key == "stream_options";
    const std::optional<Status> mine = own(*key);
    const std::optional<Status> read = mine ? mine : read_option(reader, *key, body);
    if (!read) {
      reader.skip_value();
    } else if (!*read) {
      return *read;
    }
  }
  if (Status status = reader.finish(); !status) {
    return status;
  }
  if (body.model.empty()) {
    return fail(Code::kInvalidArgument, "'model' is missing", "model");
  }
  if (has_stream_options && !body.is_streamed) {
    return wrong_member("stream_options", "left out unless 'stream' is true");
  }
  return body.sampling.top_p > 0 ? Status() : wrong_member("top_p", "above 0");
}

// Content parts become the text that templates expect.
Status join_parts(Json& message, const std::string& where) {
  const auto content = message.find("content");
  if (content == message.end() || content->is_string() || content->is_null()) {
    return {};
  }
  if (!content->is_array()) {
    return wrong_member(where + ".content", "a string or a list of parts");
  }
  std::string text;
  for (const Json& part : *content) {
    if (!part.is_object() || part.value("type", Json()) != "text" || !part.contains("text") ||
        !part["text"].is_string()) {
      return unsupported_member(where + ".content", "only parts of type 'text' are read");
    }
    text += part["text"].get<std::string>();
  }
  *content = std::move(text);
  return {};
}

Status check_messages(Json& messages) {
  static constexpr std::array<std::string_view, 5> kRoles = {"system", "developer", "user", "assistant", "tool"};
  if (!messages.is_array() || messages.empty()) {
    return wrong_member("messages", "a list of at least one message");
  }
  for (std::size_t index = 0; index < messages.size(); ++index) {
    const std::string where = fmt::format("messages[{}]", index);
    Json& message = messages[index];
    const bool has_role = message.is_object() && message.contains("role") && message["role"].is_string();
    if (!has_role || std::ranges::find(kRoles, message["role"].get<std::string>()) == kRoles.end()) {
      return wrong_member(where + ".role", "'system', 'developer', 'user', 'assistant' or 'tool'");
    }
    if (message["role"] == "developer") {
      message["role"] = "system";  // the older name, which templates know
    }
    const bool may_be_empty = message["role"] == "assistant" && message.contains("tool_calls");
    if (!may_be_empty && (!message.contains("content") || message["content"].is_null())) {
      return wrong_member(where + ".content", "a string or a list of parts");
    }
    if (Status status = join_parts(message, where); !status) {
      return status;
    }
  }
  return {};
}

Status read_ids(JsonReader& reader, std::vector<std::uint32_t>& ids) {
  const auto id = reader.peek() == Kind::kNumber ? reader.read_int64() : std::nullopt;
  if (!id || *id < 0 || *id > std::numeric_limits<std::int32_t>::max()) {
    return reader.ok() ? wrong_member("prompt", "of integers >= 0 where it is a list of token ids") : reader.status();
  }
  ids.push_back(static_cast<std::uint32_t>(*id));
  return {};
}

// string | [string] | [int] | [[int]]
Status read_prompt(JsonReader& reader, CompletionBody& body) {
  constexpr std::string_view kExpected = "a string, a list of strings, a list of token ids or a list of such lists";
  if (reader.peek() == Kind::kString) {
    body.prompts.emplace_back(reader.read_string().value_or(""));
    return reader.status();
  }
  if (reader.peek() != Kind::kArray) {
    return reader.ok() ? wrong_member("prompt", kExpected) : reader.status();
  }
  reader.enter_array();
  std::optional<Kind> kind;
  std::vector<std::uint32_t> flat;
  while (reader.next_element()) {
    const Kind here = reader.peek();
    if (here != kind.value_or(here)) {
      return wrong_member("prompt", "of one kind: all strings, all token ids or all lists of them");
    }
    kind = here;
    if (here == Kind::kString) {
      body.prompts.emplace_back(reader.read_string().value_or(""));
    } else if (here == Kind::kNumber) {
      if (Status status = read_ids(reader, flat); !status) {
        return status;
      }
    } else if (here == Kind::kArray) {
      reader.enter_array();
      std::vector<std::uint32_t> ids;
      while (reader.next_element()) {
        if (Status status = read_ids(reader, ids); !status) {
          return status;
        }
      }
      body.prompts.emplace_back(std::move(ids));
    } else {
      return reader.ok() ? wrong_member("prompt", kExpected) : reader.status();
    }
    if (body.prompts.size() > kMaxChoices) {
      return wrong_member("prompt", fmt::format("a list of at most {} prompts", kMaxChoices));
    }
  }
  if (!flat.empty()) {
    body.prompts.emplace_back(std::move(flat));
  }
  return reader.status();
}

constexpr std::string_view kNoLogprobs = "the probabilities of tokens are not told";

}  // namespace

Result<ChatBody> parse_chat(std::string_view text) {
  JsonReader reader(text);
  ChatBody body;
  const auto own = [&](std::string_view key) -> std::optional<Status> {
    if (key == "messages") {
      return read_document(reader, key, body.messages);
    }
    if (key == "chat_template_kwargs") {
      Status read = read_document(reader, key, body.template_variables);
      return read && !body.template_variables.is_object() ? wrong_member(key, "an object") : read;
    }
    if (key == "add_generation_prompt") {
      return read_flag(reader, key, body.adds_generation_prompt);
    }
    if (key == "response_format") {
      return read_response_format(reader);
    }
    if (key == "tools" || key == "functions") {
      return read_only(reader, key, "[]", "the server calls no functions and reads no calls out of answers");
    }
    if (key == "tool_choice") {
      return read_only(reader, key, "\"none\"", "the server calls no functions and reads no calls out of answers");
    }
    if (key == "logprobs") {
      return read_only(reader, key, "false", kNoLogprobs);
    }
    if (key == "top_logprobs") {
      return read_only(reader, key, "0", kNoLogprobs);
    }
    return std::nullopt;
  };
  if (Status status = read_members(reader, body, own); !status) {
    return fail(std::move(status.error()));
  }
  if (Status status = check_messages(body.messages); !status) {
    return fail(std::move(status.error()));
  }
  return body;
}

Result<CompletionBody> parse_completion(std::string_view text) {
  JsonReader reader(text);
  CompletionBody body;
  const auto own = [&](std::string_view key) -> std::optional<Status> {
    if (key == "prompt") {
      return read_prompt(reader, body);
    }
    if (key == "echo") {
      return read_flag(reader, key, body.echo);
    }
    if (key == "suffix") {
      return read_only(reader, key, "\"\"", "an answer is what follows the prompt");
    }
    if (key == "logprobs") {
      return read_only(reader, key, "0", kNoLogprobs);
    }
    return std::nullopt;
  };
  if (Status status = read_members(reader, body, own); !status) {
    return fail(std::move(status.error()));
  }
  if (body.prompts.empty()) {
    return fail(Code::kInvalidArgument, "'prompt' is missing or empty", "prompt");
  }
  if (body.prompts.size() * body.n > kMaxChoices) {
    return wrong_member("n", fmt::format("such that all prompts have at most {} answers together", kMaxChoices));
  }
  return body;
}

}  // namespace shoal::wire
