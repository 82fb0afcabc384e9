// Any bytes as JSON, against another parser: what ours takes theirs takes too, and what theirs takes ours refuses only
// for what it is stricter in (depth, duplicate keys, many keys).
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "server/wire/json_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  shoal::wire::JsonReader reader(text);
  reader.skip_value();
  const shoal::Status ours = reader.finish();
  // Recursion in theirs is not bounded, a zero byte ends its text, and these words are numbers to ours only.
  if (size > 4096 || text.contains('\0') || text.contains("NaN") || text.contains("Infinity")) {
    return 0;
  }
  // A number that no double holds is JSON, but not to theirs; a byte order mark is not JSON, but to theirs.
  const bool theirs = nlohmann::json::accept(text);
  const bool has_mark = text.starts_with("\xef\xbb\xbf");
  const bool has_exponent = text.find_first_of("eE") != std::string_view::npos || size > 300;
  if (ours && !theirs && !has_exponent) {
    std::abort();
  }
  if (!ours && theirs && !has_mark) {
    const std::string& message = ours.error().message;
    if (!message.contains("duplicate key") && !message.contains("deeper than") && !message.contains("more than")) {
      std::abort();
    }
  }
  return 0;
}
