// Any bytes as package.json: an error that names a field or says what is wrong, or a description that comes back.
#include <cstdlib>

#include "engine/package/description.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace shoal;
  const auto description = package::parse_description({reinterpret_cast<const char*>(data), size});
  if (!description) {
    if (description.error().message.empty() || description.error().code != Code::kInvalidArgument) {
      std::abort();
    }
    return 0;
  }
  if (description->find("") == nullptr) {
    std::abort();
  }
  const std::string text = package::write_description(*description);
  const auto again = package::parse_description(text);
  if (!again || package::write_description(*again) != text) {
    std::abort();
  }
  return 0;
}
