// Any bytes as the body of a parallel call: an error of the client's kind, or items that each are JSON text of the body
// and name a model.
#include <cstdlib>
#include <string_view>

#include "server/wire/json_reader.hpp"
#include "server/wire/parallel_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto items = shoal::wire::parse_parallel(body);
  if (!items) {
    if (items.error().code != shoal::Code::kInvalidArgument || items.error().message.empty()) {
      std::abort();
    }
    return 0;
  }
  if (items->empty() || items->size() > shoal::wire::kMaxParallel) {
    std::abort();
  }
  for (const shoal::wire::ParallelItem& item : *items) {
    shoal::wire::JsonReader reader(item.body);
    reader.skip_value();
    if (item.model.empty() || !reader.finish() || !body.contains(item.body)) {
      std::abort();
    }
  }
  return 0;
}
