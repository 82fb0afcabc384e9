#include "server/wire/openai_json.hpp"

#include <fmt/format.h>

#include "server/wire/json_reader.hpp"
#include "server/wire/kserve_json.hpp"
#include "server/wire/numbers.hpp"
#include "server/wire/shoal_json.hpp"

namespace shoal::wire {
namespace {

using Input = std::variant<std::string, TokenIds>;

std::unexpected<Error> wrong(std::string_view member, std::string_view expected) {
  return fail(Code::kInvalidArgument, fmt::format("'{}' must be {}", member, expected), std::string(member));
}

Status read_token_ids(JsonReader& reader, TokenIds first, std::vector<Input>& inputs) {
  while (reader.next_element()) {
    first.push_back(reader.read_int64().value_or(0));
  }
  if (reader.ok() && first.empty()) {
    return fail(Code::kInvalidArgument, "'input' has an empty list of token ids", "input");
  }
  inputs.emplace_back(std::move(first));
  return reader.status();
}

// string | [string] | [int] | [[int]]: what the first element is decides, and the others must agree.
Status read_input(JsonReader& reader, std::size_t max_inputs, std::vector<Input>& inputs) {
  if (reader.peek() == JsonReader::Kind::kString) {
    inputs.emplace_back(reader.read_string().value_or(""));
    return reader.status();
  }
  if (reader.peek() != JsonReader::Kind::kArray) {
    return reader.ok() ? wrong("input", "a string, a list of strings, a list of token ids or a list of such lists")
                       : reader.status();
  }
  reader.enter_array();
  std::optional<JsonReader::Kind> kind;
  while (reader.next_element()) {
    const JsonReader::Kind here = reader.peek();
    if (here != kind.value_or(here)) {
      return wrong("input", "of one kind: all strings, or all lists of token ids");
    }
    kind = here;
    if (inputs.size() >= max_inputs) {
      return fail(Code::kInvalidArgument, fmt::format("'input' has more than {} entries", max_inputs), "input");
    }
    switch (here) {
      case JsonReader::Kind::kString:
        inputs.emplace_back(reader.read_string().value_or(""));
        break;
      case JsonReader::Kind::kNumber: {
        const auto first = reader.read_int64();
        if (!first) {
          return wrong("input", "integers where it is a list of token ids");
        }
        return read_token_ids(reader, TokenIds{*first}, inputs);
      }
      case JsonReader::Kind::kArray:
        reader.enter_array();
        if (const Status status = read_token_ids(reader, {}, inputs); !status) {
          return status;
        }
        break;
      default:
        return reader.ok() ? wrong("input", "a string, a list of strings, a list of token ids or a list of such lists")
                           : reader.status();
    }
  }
  return reader.status();
}

Status read_positive(JsonReader& reader, std::string_view member, std::optional<std::int64_t>& value) {
  value = reader.peek() == JsonReader::Kind::kNumber ? reader.read_int64() : std::nullopt;
  if (value.value_or(0) < 1) {
    return wrong(member, "an integer above 0");
  }
  return {};
}

Status read_member(JsonReader& reader, std::string_view key, std::size_t max_inputs, EmbeddingsBody& body) {
  const JsonReader::Kind kind = reader.peek();
  if (kind == JsonReader::Kind::kNull && key != "input" && key != "model") {
    reader.read_null();
  } else if (key == "model") {
    if (kind != JsonReader::Kind::kString) {
      return wrong("model", "a string");
    }
    body.model = reader.read_string().value_or("");
  } else if (key == "input") {
    return read_input(reader, max_inputs, body.inputs);
  } else if (key == "encoding_format") {
    const std::string format = kind == JsonReader::Kind::kString ? reader.read_string().value_or("") : "";
    if (format != "float" && format != "base64") {
      return wrong("encoding_format", "'float' or 'base64'");
    }
    body.is_base64 = format == "base64";
  } else if (key == "dimensions") {
    return read_positive(reader, key, body.dimensions);
  } else if (key == "truncate") {
    if (kind != JsonReader::Kind::kBool) {
      return wrong("truncate", "true or false");
    }
    body.truncate = reader.read_bool().value_or(false);
  } else if (key == "truncate_prompt_tokens") {
    if (const auto status = read_positive(reader, key, body.truncate_to); !status) {
      return status;
    }
    body.truncate = true;
  } else if (key == "shoal") {
    return read_shoal(reader, body.parameters);
  } else {
    reader.skip_value();
  }
  return reader.status();
}

void append_floats(std::string& out, const std::vector<float>& values) {
  out.push_back('[');
  for (std::size_t index = 0; index < values.size(); ++index) {
    if (index > 0) {
      out.push_back(',');
    }
    append_number(out, values[index]);
  }
  out.push_back(']');
}

}  // namespace

Result<EmbeddingsBody> parse_embeddings(std::string_view text, std::size_t max_inputs) {
  JsonReader reader(text);
  EmbeddingsBody body;
  if (reader.enter_object()) {
    while (auto key = reader.next_key()) {
      if (Status status = read_member(reader, *key, max_inputs, body); !status) {
        return fail(std::move(status.error()));
      }
    }
  }
  if (Status status = reader.finish(); !status) {
    return fail(std::move(status.error()));
  }
  if (body.model.empty()) {
    return fail(Code::kInvalidArgument, "'model' is missing", "model");
  }
  if (body.inputs.empty()) {
    return fail(Code::kInvalidArgument, "'input' is missing or empty", "input");
  }
  for (const Input& input : body.inputs) {
    const auto* words = std::get_if<std::string>(&input);
    if (words != nullptr && words->empty()) {
      return fail(Code::kInvalidArgument, "'input' has an empty string", "input");
    }
  }
  return body;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t offset = 0; offset < bytes.size(); offset += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - offset);
    std::uint32_t group = 0;
    for (std::size_t index = 0; index < 3; ++index) {
      group = (group << 8) | (index < count ? static_cast<unsigned char>(bytes[offset + index]) : 0U);
    }
    for (std::size_t digit = 0; digit < 4; ++digit) {
      out.push_back(digit <= count ? kDigits[(group >> (18 - 6 * digit)) & 0x3FU] : '=');
    }
  }
  return out;
}

std::string write_embeddings(const EmbeddingsAnswer& answer) {
  std::string out = R"({"object":"list","data":[)";
  for (std::size_t index = 0; index < answer.embeddings.size(); ++index) {
    const std::vector<float>& values = answer.embeddings[index];
    out += index > 0 ? "," : "";
    out += R"({"object":"embedding","index":)";
    append_number(out, index);
    out += R"(,"embedding":)";
    if (answer.is_base64) {
      out.push_back('"');
      out += base64({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
      out.push_back('"');
    } else {
      append_floats(out, values);
    }
    out.push_back('}');
  }
  out += R"(],"model":)";
  append_json_string(out, answer.model);
  out += R"(,"usage":{"prompt_tokens":)";
  append_number(out, answer.prompt_tokens);
  out += R"(,"total_tokens":)";
  append_number(out, answer.prompt_tokens);
  out.push_back('}');
  if (!answer.shoal.empty()) {
    out += R"(,"shoal":)";
    out += answer.shoal;
  }
  out.push_back('}');
  return out;
}

std::string write_model(const ListedModel& model) {
  std::string out = R"({"id":)";
  append_json_string(out, model.id);
  out += R"(,"object":"model","created":)";
  append_number(out, model.created);
  out += R"(,"owned_by":"shoal","shoal":{"kind":)";
  append_json_string(out, model.kind);
  if (model.context > 0) {
    out += R"(,"context":)";
    append_number(out, model.context);
  }
  out += "}}";
  return out;
}

std::string write_models(std::span<const ListedModel> models) {
  std::string out = R"({"object":"list","data":[)";
  for (std::size_t index = 0; index < models.size(); ++index) {
    out += index > 0 ? "," : "";
    out += write_model(models[index]);
  }
  out += "]}";
  return out;
}

}  // namespace shoal::wire
