// Any bytes as the body of an embeddings request: errors of the client's kind, or inputs within the bounds.
#include <cstdlib>
#include <string_view>

#include "server/wire/openai_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto body = shoal::wire::parse_embeddings({reinterpret_cast<const char*>(data), size}, 16);
  if (!body) {
    if (body.error().code != shoal::Code::kInvalidArgument || body.error().message.empty()) {
      std::abort();
    }
    return 0;
  }
  if (body->model.empty() || body->inputs.empty() || body->inputs.size() > 16) {
    std::abort();
  }
  return 0;
}
