#include "server/pool/home_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace shoal::pool {

HomeLock::~HomeLock() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Status HomeLock::take(const std::string& home) {
  std::error_code ignored;
  std::filesystem::create_directories(home, ignored);
  descriptor_ = open((std::filesystem::path(home) / "browsers.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor_ < 0) {
    return fail(Code::kInvalidArgument, fmt::format("cannot write to {}: {}", home, std::strerror(errno)), "home");
  }
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kInvalidArgument, fmt::format("another server runs its browsers in {}", home), "home");
  }
  return {};
}

}  // namespace shoal::pool
