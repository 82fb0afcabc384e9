// A model from the network onto this machine: into $SHOAL_HOME/downloads, where what is whole is taken again without
// asking for its bytes. Calling thread; blocks. Several processes may ask for the same: one fetches, the others wait.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::fetch {

struct FetchOptions {
  std::filesystem::path folder;  // $SHOAL_HOME/downloads
  std::string endpoint = "https://huggingface.co";
  std::string token{};                       // for the endpoint, nobody else
  std::vector<std::string> allowed_hosts{};  // besides the endpoint, an address's own host and default_hosts()
  std::uint64_t most_bytes = std::uint64_t{64} << 30;  // of all files of a model together
  // Weights are left out: their files have their sizes and what describes them, and nothing else.
  bool is_heads_only = false;
  std::function<void(std::string_view file, std::uint64_t done, std::uint64_t total)>
      on_progress{};  // total 0: not known
};

struct Fetched {
  std::filesystem::path path;  // a folder, or a GGUF file
  std::string name;            // for people: owner/name@commit, or the address
};

// Errors are those of parse_address(), read_listing(), files_of_model() and download().
Result<Fetched> fetch(std::string_view source, const FetchOptions& options);

}  // namespace shoal::fetch
