#include "server/wire/tokenize_json.hpp"

#include <limits>
#include <utility>

#include "server/wire/answer_form.hpp"
#include "server/wire/chat_messages.hpp"
#include "server/wire/completion_options.hpp"

namespace shoal::wire {
namespace {

using Kind = JsonReader::Kind;

Status read_string(JsonReader& reader, std::string_view member, std::string& out) {
  if (reader.peek() != Kind::kString) {
    return reader.ok() ? wrong_member(member, "a string") : reader.status();
  }
  out = reader.read_string().value_or("");
  return reader.status();
}

// `read` takes in the members that it knows; `null` is as if the member were not there.
template <class Read>
Status read_object(std::string_view text, Read read) {
  JsonReader reader(text);
  if (!reader.enter_object()) {
    return reader.ok() ? fail(Code::kInvalidArgument, "the request must be a JSON object") : reader.status();
  }
  while (const auto key = reader.next_key()) {
    if (reader.peek() == Kind::kNull) {
      reader.read_null();
    } else if (Status status = read(reader, *key); !status) {
      return status;
    }
  }
  return reader.finish();
}

}  // namespace

Result<TokenizeBody> parse_tokenize(std::string_view text) {
  TokenizeBody body;
  AnswerForm form;
  Status status = read_object(text, [&](JsonReader& reader, std::string_view key) -> Status {
    if (key == "model") {
      return read_string(reader, key, body.model);
    }
    if (key == "prompt") {
      return read_string(reader, key, body.prompt.emplace());
    }
    if (key == "add_special_tokens") {
      return read_flag(reader, key, body.adds_special_tokens.emplace());
    }
    if (key == "add_generation_prompt") {
      return read_flag(reader, key, body.adds_generation_prompt);
    }
    if (key == "return_token_strs") {
      return read_flag(reader, key, body.wants_texts);
    }
    if (key == "messages") {
      Status read = read_document(reader, key, body.messages);
      return read ? check_messages(body.messages, key) : read;
    }
    if (key == "tools") {
      nlohmann::ordered_json given;
      Status read = read_document(reader, key, given);
      return read ? read_tools(given, false, form) : read;
    }
    if (key == "chat_template_kwargs") {
      Status read = read_document(reader, key, body.template_variables);
      return read && !body.template_variables.is_object() ? wrong_member(key, "an object") : read;
    }
    reader.skip_value();
    return reader.status();
  });
  if (!status) {
    return fail(std::move(status.error()));
  }
  if (body.prompt.has_value() != body.messages.is_null()) {
    return fail(Code::kInvalidArgument, "expected either 'prompt' or 'messages'", "prompt");
  }
  body.tools = std::move(form.tools);
  return body;
}

Result<DetokenizeBody> parse_detokenize(std::string_view text) {
  DetokenizeBody body;
  bool has_tokens = false;
  Status status = read_object(text, [&](JsonReader& reader, std::string_view key) -> Status {
    if (key == "model") {
      return read_string(reader, key, body.model);
    }
    if (key != "tokens") {
      reader.skip_value();
      return reader.status();
    }
    has_tokens = true;
    if (reader.peek() != Kind::kArray) {
      return reader.ok() ? wrong_member(key, "a list of token ids") : reader.status();
    }
    reader.enter_array();
    while (reader.next_element()) {
      if (Status read =
              read_count(reader, key, 0, std::numeric_limits<std::int32_t>::max(), body.tokens.emplace_back());
          !read) {
        return reader.ok() ? wrong_member(key, "a list of token ids") : reader.status();
      }
    }
    return reader.status();
  });
  if (!status) {
    return fail(std::move(status.error()));
  }
  if (!has_tokens) {
    return fail(Code::kInvalidArgument, "'tokens' is missing", "tokens");
  }
  return body;
}

}  // namespace shoal::wire
