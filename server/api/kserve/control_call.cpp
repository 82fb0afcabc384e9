#include "server/api/kserve/control_call.hpp"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "server/wire/json_reader.hpp"
#include "server/wire/parameters_json.hpp"

namespace shoal::api::kserve {
namespace {

constexpr std::size_t kMaxEchoBytes = 128;

std::unexpected<Error> refuse(const std::string& name, std::string_view why) {
  return fail(Code::kInvalidArgument, fmt::format("parameter '{}' {}", name.substr(0, kMaxEchoBytes), why), name);
}

}  // namespace

Result<dispatch::LoadRequest> load_request(std::string model, const wire::Parameters& parameters) {
  dispatch::LoadRequest request{.model = std::move(model), .config = std::nullopt};
  for (const auto& [name, value] : parameters) {
    if (name.starts_with("file:")) {
      return refuse(name, "is not offered: models are read from the repository");
    }
    if (name != "config") {
      return refuse(name, "is not known to a load request; it takes 'config'");
    }
    const auto* config = std::get_if<std::string>(&value);
    if (config == nullptr) {
      return refuse(name, "must be a string: the model configuration as JSON");
    }
    request.config = *config;
  }
  return request;
}

Status check_unload(const wire::Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    if (name != "unload_dependents") {
      return refuse(name, "is not known to an unload request; it takes 'unload_dependents'");
    }
    if (!std::holds_alternative<bool>(value)) {
      return refuse(name, "must be a boolean");
    }
  }
  return {};
}

Result<wire::Parameters> read_control_body(std::string_view body) {
  wire::Parameters parameters;
  if (body.empty()) {
    return parameters;
  }
  wire::JsonReader reader(body);
  if (reader.enter_object()) {
    while (auto key = reader.next_key()) {
      if (*key != "parameters") {
        return refuse(*key, "is not known here; the body is {\"parameters\": {...}}");
      }
      if (Status status = wire::read_parameters(reader, parameters); !status) {
        return fail(std::move(status.error()));
      }
    }
  }
  if (Status status = reader.finish(); !status) {
    return fail(std::move(status.error()));
  }
  return parameters;
}

}  // namespace shoal::api::kserve
