#include "server/app/mapped_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace shoal::app {

MappedFolder::~MappedFolder() {
  for (const auto& [name, bytes] : files_) {
    if (!bytes.empty()) {
      ::munmap(const_cast<std::byte*>(bytes.data()), bytes.size());
    }
  }
}

void MappedFolder::forget() const {
  for (const auto& [name, bytes] : files_) {
    ::madvise(const_cast<std::byte*>(bytes.data()), bytes.size(), MADV_DONTNEED);
  }
}

Result<Bytes> MappedFolder::read(std::string_view name) {
  if (const auto known = files_.find(name); known != files_.end()) {
    return known->second;
  }
  if (name.find('/') != std::string_view::npos) {
    return fail(Code::kInvalidArgument, fmt::format("'{}' is no name of a file", name));
  }
  const std::filesystem::path path = path_ / name;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    const int error = errno;
    return fail(error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kInternal,
                fmt::format("cannot open '{}': {}", path.string(), std::generic_category().message(error)));
  }
  struct stat facts = {};
  void* memory = nullptr;
  if (::fstat(file, &facts) == 0 && facts.st_size > 0) {
    memory = ::mmap(nullptr, static_cast<std::size_t>(facts.st_size), PROT_READ, MAP_PRIVATE, file, 0);
  }
  ::close(file);
  if (memory == nullptr || memory == MAP_FAILED) {
    return fail(Code::kInternal, fmt::format("cannot map '{}', or it is empty", path.string()));
  }
  const Bytes bytes(static_cast<const std::byte*>(memory), static_cast<std::size_t>(facts.st_size));
  files_.emplace(name, bytes);
  return bytes;
}

}  // namespace shoal::app
