#include "server/wire/parallel_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "server/wire/json_reader.hpp"

namespace shoal::wire {
namespace {

Result<ParallelItem> read_item(std::string_view text, std::size_t index) {
  ParallelItem item{.model = {}, .version = {}, .body = text};
  JsonReader reader(text);
  if (!reader.enter_object()) {
    return fail(Code::kInvalidArgument, fmt::format("requests[{}]: expected an object", index), "requests");
  }
  while (const auto key = reader.next_key()) {
    if (*key == "model_name") {
      item.model = reader.read_string().value_or("");
    } else if (*key == "model_version") {
      item.version = reader.read_string().value_or("");
    } else {
      reader.skip_value();
    }
  }
  if (const Status status = reader.status(); !status) {
    return fail(Code::kInvalidArgument, fmt::format("requests[{}]: {}", index, status.error().message), "requests");
  }
  if (item.model.empty()) {
    return fail(Code::kInvalidArgument, fmt::format("requests[{}]: 'model_name' is missing", index), "requests");
  }
  return item;
}

Status read_items(JsonReader& reader, std::vector<ParallelItem>& items) {
  if (!reader.enter_array()) {
    return reader.status();
  }
  while (reader.next_element()) {
    const auto text = reader.skip_value();
    if (!text) {
      break;
    }
    if (items.size() == kMaxParallel) {
      return fail(Code::kInvalidArgument, fmt::format("requests: expected at most {}", kMaxParallel), "requests");
    }
    auto item = read_item(*text, items.size());
    if (!item) {
      return fail(std::move(item.error()));
    }
    items.push_back(*std::move(item));
  }
  return reader.status();
}

Status read_timeout(JsonReader& reader, ParallelCall& call) {
  const auto timeout = reader.peek() == JsonReader::Kind::kNumber ? reader.read_int64() : std::nullopt;
  if (reader.ok() && timeout.value_or(0) < 1) {
    return fail(Code::kInvalidArgument, "timeout: expected an integer above 0, of microseconds", "timeout");
  }
  call.timeout =
      std::min<std::chrono::microseconds>(std::chrono::microseconds(timeout.value_or(1)), std::chrono::hours(24));
  return reader.status();
}

}  // namespace

Result<ParallelCall> parse_parallel(std::string_view body) {
  ParallelCall call;
  JsonReader reader(body);
  if (reader.enter_object()) {
    while (const auto key = reader.next_key()) {
      if (*key != "requests" && *key != "timeout") {
        return fail(Code::kInvalidArgument,
                    fmt::format("'{:.40}' is not known; expected 'requests' and 'timeout'", *key), *key);
      }
      if (Status status = *key == "timeout" ? read_timeout(reader, call) : read_items(reader, call.items); !status) {
        return fail(std::move(status.error()));
      }
    }
  }
  if (Status status = reader.finish(); !status) {
    return fail(std::move(status.error()));
  }
  if (call.items.empty()) {
    return fail(Code::kInvalidArgument, fmt::format("requests: expected 1 to {}", kMaxParallel), "requests");
  }
  return call;
}

}  // namespace shoal::wire
