#include "server/core/private_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

namespace shoal {
namespace {

namespace fs = std::filesystem;

Error system_error(std::string_view what, const fs::path& path) {
  return {Code::kInternal, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)), {}};
}

Status write_all(int file, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count < 0 && errno != EINTR) {
      return fail(system_error("write", path));
    }
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
  return ::fsync(file) == 0 ? Status() : fail(system_error("write", path));
}

}  // namespace

Result<std::optional<std::string>> read_private_file(const fs::path& file, std::uintmax_t max_bytes) {
  std::error_code error;
  if (!fs::exists(file, error) && !error) {
    return std::nullopt;
  }
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (error || fs::file_size(file, error) > max_bytes || error || !stream || !(text << stream.rdbuf())) {
    return fail(Code::kInvalidArgument, fmt::format("cannot read {}", file.string()));
  }
  return std::move(text).str();
}

Status write_private_file(const fs::path& file, std::string_view text) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  const fs::path next = file.string() + ".new";
  const int opened = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (opened < 0) {
    return fail(system_error("write", next));
  }
  Status status = write_all(opened, text, next);
  ::close(opened);
  if (status && ::rename(next.c_str(), file.c_str()) != 0) {
    status = fail(system_error("replace", file));
  }
  return status;
}

}  // namespace shoal
