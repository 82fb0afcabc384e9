#include "server/wire/parameters_json.hpp"

#include <fmt/format.h>

#include <utility>

#include "server/wire/kserve_json.hpp"
#include "server/wire/numbers.hpp"

namespace shoal::wire {

Result<Parameter> read_parameter(JsonReader& reader, std::string_view name) {
  switch (reader.peek()) {
    case JsonReader::Kind::kBool:
      return reader.read_bool().value_or(false);
    case JsonReader::Kind::kString:
      return reader.read_string().value_or("");
    case JsonReader::Kind::kNumber: {
      const auto digits = reader.read_number();
      if (!digits) {
        return fail(reader.status().error());
      }
      if (const auto integer = parse_number<std::int64_t>(*digits)) {
        return *integer;
      }
      if (const auto natural = parse_number<std::uint64_t>(*digits)) {
        return *natural;
      }
      if (const auto real = parse_number<double>(*digits)) {
        return *real;
      }
      return fail(Code::kInvalidArgument, fmt::format("parameter '{}' is out of range", name), std::string(name));
    }
    default:
      return fail(
          Code::kInvalidArgument,
          fmt::format("parameter '{}' has invalid type. It should be either 'bool', 'number', or 'string'.", name),
          std::string(name));
  }
}

Status read_parameters(JsonReader& reader, Parameters& parameters) {
  if (reader.enter_object()) {
    while (auto name = reader.next_key()) {
      auto value = read_parameter(reader, *name);
      if (!value) {
        return fail(value.error());
      }
      parameters.emplace(std::move(*name), std::move(*value));
    }
  }
  return reader.status();
}

void append_parameter(std::string& out, const Parameter& value) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    append_number(out, *integer);
  } else if (const auto* natural = std::get_if<std::uint64_t>(&value)) {
    append_number(out, *natural);
  } else if (const auto* real = std::get_if<double>(&value)) {
    append_number(out, *real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    append_json_string(out, *text);
  }
}

void append_parameters(std::string& out, const Parameters& parameters) {
  out.push_back('{');
  bool is_first = true;
  for (const auto& [name, value] : parameters) {
    out += is_first ? "" : ",";
    is_first = false;
    append_json_string(out, name);
    out.push_back(':');
    append_parameter(out, value);
  }
  out.push_back('}');
}

}  // namespace shoal::wire
