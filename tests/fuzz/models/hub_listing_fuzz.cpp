// Any bytes as an address and as a hub's listing: an error with words, or names that stay below a folder.
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/fetch/address.hpp"
#include "server/fetch/hub_listing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace shoal::fetch;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::string_view start : {"", "hf:", "https://"}) {
    const auto address = parse_address(std::string(start).append(text.substr(0, 4096)));
    if (!address && address.error().message.empty()) {
      std::abort();
    }
    if (address && std::holds_alternative<HubAddress>(*address)) {
      const auto& hub = std::get<HubAddress>(*address);
      if (!is_safe_name(hub.repository) || !is_safe_name(hub.revision) ||
          (!hub.file.empty() && !is_safe_name(hub.file))) {
        std::abort();
      }
    }
  }
  const auto listing = read_listing(text);
  if (!listing) {
    if (listing.error().message.empty()) {
      std::abort();
    }
    return 0;
  }
  const auto files = files_of_model(*listing, {.repository = "o/n"});
  for (const HubFile& file : listing->files) {
    if (!is_safe_name(file.name)) {
      std::abort();
    }
  }
  return files || !files.error().message.empty() ? 0 : (std::abort(), 0);
}
