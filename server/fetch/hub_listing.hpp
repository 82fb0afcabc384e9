// What a hub says of a repository (GET /api/models/OWNER/NAME/revision/REVISION?blobs=true), and which of its files a
// model needs. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/fetch/address.hpp"

namespace shoal::fetch {

struct HubFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::string sha256{};  // of large files; empty: the hub does not say
};

struct HubListing {
  std::string commit;  // 40 hexadecimal digits
  std::vector<HubFile> files;
};

inline constexpr std::size_t kMaxListingBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxFiles = 10'000;

// kUnavailable naming the field for what is no listing. Files whose names are not safe are left out.
Result<HubListing> read_listing(std::string_view json);

// The one that is named; else safetensors (in one file or in shards) with what describes them; else the only GGUF file.
// kNotFound, or kInvalidArgument where there is a choice to be made.
Result<std::vector<HubFile>> files_of_model(const HubListing& listing, const HubAddress& address);

}  // namespace shoal::fetch
