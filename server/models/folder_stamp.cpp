#include "server/models/folder_stamp.hpp"

#include <fmt/format.h>

#include <functional>
#include <string>
#include <system_error>

namespace shoal::models {

namespace fs = std::filesystem;

std::uint64_t stamp_of(const fs::path& folder) {
  constexpr int kMaxDepth = 2;
  constexpr auto kOptions =
      fs::directory_options::skip_permission_denied | fs::directory_options::follow_directory_symlink;
  std::uint64_t stamp = 0;
  std::size_t count = 0;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, kOptions, error);
  for (; !error && entry != fs::recursive_directory_iterator() && count < kMaxStamped; entry.increment(error)) {
    ++count;
    std::error_code gone;
    const bool is_folder = entry->is_directory(gone);
    if (is_folder && entry.depth() >= kMaxDepth) {
      entry.disable_recursion_pending();
    }
    const std::uintmax_t size = is_folder ? 0 : entry->file_size(gone);
    const auto time = is_folder ? 0 : entry->last_write_time(gone).time_since_epoch().count();
    // A sum, because the order of entries is the file system's.
    stamp += std::hash<std::string>()(fmt::format("{}|{}|{}", entry->path().string(), size, time));
  }
  return stamp;
}

}  // namespace shoal::models
