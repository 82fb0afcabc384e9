#include "server/wire/completion_json.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "server/wire/chat_messages.hpp"
#include "server/wire/completion_options.hpp"

namespace shoal::wire {
namespace {

using Kind = JsonReader::Kind;
using Json = nlohmann::ordered_json;

// A document that `read` takes in.
template <class Read>
Status read_part(JsonReader& reader, std::string_view member, Read read) {
  Json document;
  const Status status = read_document(reader, member, document);
  return status ? read(document) : status;
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
      return read_part(reader, key,
                       [&](const Json& given) { return read_format(given, false, "response_format", body.form); });
    }
    if (key == "tools") {
      return read_part(reader, key, [&](const Json& given) { return read_tools(given, false, body.form); });
    }
    if (key == "tool_choice") {
      return read_part(reader, key, [&](const Json& given) { return read_tool_choice(given, false, body.form); });
    }
    if (key == "parallel_tool_calls") {
      return read_flag(reader, key, body.form.is_parallel);
    }
    if (key == "functions" || key == "function_call") {
      reader.skip_value();
      return unsupported_member(key, "its newer names are 'tools' and 'tool_choice'");
    }
    if (key == "logprobs") {
      return read_flag(reader, key, body.wants_logprobs);
    }
    if (key == "top_logprobs") {
      return read_count(reader, key, 0, kMaxTopLogprobs, body.top_logprobs);
    }
    return std::nullopt;
  };
  if (Status status = read_members(reader, body, own); !status) {
    return fail(std::move(status.error()));
  }
  if (Status status = check_messages(body.messages, "messages"); !status) {
    return fail(std::move(status.error()));
  }
  if (Status status = check_form(body.form); !status) {
    return fail(std::move(status.error()));
  }
  if (body.top_logprobs > 0 && !body.wants_logprobs) {
    return wrong_member("top_logprobs", "left out unless 'logprobs' is true");
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
      body.wants_logprobs = true;
      return read_count(reader, key, 0, kMaxTopLogprobs, body.top_logprobs);
    }
    return std::nullopt;
  };
  if (Status status = read_members(reader, body, own); !status) {
    return fail(std::move(status.error()));
  }
  if (body.prompts.empty()) {
    return fail(Code::kInvalidArgument, "'prompt' is missing or empty", "prompt");
  }
  if (body.echo && body.wants_logprobs) {
    return unsupported_member("echo", "the probabilities of a prompt's tokens are not told; leave 'logprobs' out");
  }
  if (body.prompts.size() * body.n > kMaxChoices) {
    return wrong_member("n", fmt::format("such that all prompts have at most {} answers together", kMaxChoices));
  }
  return body;
}

}  // namespace shoal::wire
