// Any bytes as the body of a parallel call: an error of the client's kind, or items that each are JSON text of the body
// and name a model.
#include <chrono>
#include <cstdlib>
#include <string_view>

#include "server/wire/json_reader.hpp"
#include "server/wire/parallel_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto call = shoal::wire::parse_parallel(body);
  if (!call) {
    if (call.error().code != shoal::Code::kInvalidArgument || call.error().message.empty()) {
      std::abort();
    }
    return 0;
  }
  if (call->items.empty() || call->items.size() > shoal::wire::kMaxParallel ||
      (call->timeout && (call->timeout->count() < 1 || *call->timeout > std::chrono::hours(24)))) {
    std::abort();
  }
  for (const shoal::wire::ParallelItem& item : call->items) {
    shoal::wire::JsonReader reader(item.body);
    reader.skip_value();
    if (item.model.empty() || !reader.finish() || !body.contains(item.body)) {
      std::abort();
    }
  }
  return 0;
}
