#include "server/api/kserve/trace_settings.hpp"

#include <fmt/format.h>

#include <utility>

#include "server/wire/json_reader.hpp"

namespace shoal::api::kserve {
namespace {

std::vector<std::string> read_values(wire::JsonReader& reader) {
  using Kind = wire::JsonReader::Kind;
  std::vector<std::string> values;
  if (const Kind kind = reader.peek(); kind == Kind::kNull) {
    reader.read_null();
  } else if (kind == Kind::kArray) {
    reader.enter_array();
    while (reader.next_element()) {
      values.push_back(reader.read_string().value_or(""));
    }
  } else {
    values.push_back(reader.read_string().value_or(""));
  }
  return values;
}

}  // namespace

TraceSettings trace_settings() { return {{"trace_level", {"OFF"}}}; }

Status check_trace_settings(const TraceSettings& changes) {
  const TraceSettings settings = trace_settings();
  for (const auto& [name, values] : changes) {
    const auto found = settings.find(name);
    if (found == settings.end() || (!values.empty() && values != found->second)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("trace setting '{:.100}' cannot be set: this server has no tracer, and its trace_level "
                              "is always OFF",
                              name),
                  name);
    }
  }
  return {};
}

Result<TraceSettings> read_trace_settings(std::string_view body) {
  TraceSettings settings;
  if (body.empty()) {
    return settings;
  }
  wire::JsonReader reader(body);
  if (reader.enter_object()) {
    while (auto name = reader.next_key()) {
      auto values = read_values(reader);
      settings.emplace(std::move(*name), std::move(values));
    }
  }
  if (Status status = reader.finish(); !status) {
    return fail(std::move(status.error()));
  }
  return settings;
}

}  // namespace shoal::api::kserve
