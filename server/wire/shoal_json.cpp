#include "server/wire/shoal_json.hpp"

#include <fmt/format.h>

namespace shoal::wire {
namespace {

std::unexpected<Error> wrong(std::string_view member, std::string_view expected) {
  return fail(Code::kInvalidArgument, fmt::format("'{}' must be {}", member, expected), std::string(member));
}

}  // namespace

Status read_shoal(JsonReader& reader, Parameters& parameters) {
  if (reader.peek() != JsonReader::Kind::kObject) {
    return reader.ok() ? wrong("shoal", "an object") : reader.status();
  }
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key == "backend" || *key == "worker" || *key == "variant" || *key == "trust" || *key == "family" ||
        *key == "overflow") {
      if (reader.peek() != JsonReader::Kind::kString) {
        return wrong("shoal." + *key, "a string");
      }
      parameters.emplace("shoal_" + *key, reader.read_string().value_or(""));
    } else if (*key == "resume") {
      const auto flag = reader.peek() == JsonReader::Kind::kBool ? reader.read_bool() : std::nullopt;
      if (!flag) {
        return wrong("shoal." + *key, "a boolean");
      }
      parameters.emplace("shoal_" + *key, *flag);
    } else if (*key == "priority" && reader.peek() == JsonReader::Kind::kString) {
      parameters.emplace(*key, reader.read_string().value_or(""));
    } else if (*key == "bits" || *key == "priority" || *key == "timeout_us" || *key == "max_batch_size" ||
               *key == "sinks") {
      const auto number = reader.peek() == JsonReader::Kind::kNumber ? reader.read_int64() : std::nullopt;
      if (!number) {
        return wrong("shoal." + *key, "an integer");
      }
      parameters.emplace(*key == "priority"     ? "priority"
                         : *key == "timeout_us" ? std::string("timeout")
                                                : "shoal_" + *key,
                         *number);
    } else {
      return fail(
          Code::kInvalidArgument,
          fmt::format("'shoal.{}' is not known; there are backend, worker, family, trust, variant, bits, priority, "
                      "timeout_us, max_batch_size, resume, overflow, sinks",
                      *key),
          "shoal");
    }
  }
  return reader.status();
}

}  // namespace shoal::wire
