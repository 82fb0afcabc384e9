#include "server/models/read_file.hpp"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

namespace shoal::models {

Result<std::string> read_file(const std::filesystem::path& file, std::size_t limit) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (!std::filesystem::is_regular_file(status)) {
    return fail(Code::kNotFound, fmt::format("there is no file {}", file.string()));
  }
  std::ifstream in(file, std::ios::binary);
  std::string text;
  // Read by blocks up to the limit: the size on disk may change under us.
  std::string block(std::size_t{64} << 10, '\0');
  while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
    text.append(block, 0, static_cast<std::size_t>(in.gcount()));
    if (text.size() > limit) {
      return fail(Code::kResourceLimit, fmt::format("{} has more than {} bytes", file.string(), limit));
    }
  }
  if (!in.eof()) {
    return fail(Code::kInternal, fmt::format("cannot read {}", file.string()));
  }
  return text;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

}  // namespace shoal::models
