#include "server/models/package_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "server/core/ids.hpp"

namespace shoal::models {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> system_error(std::string_view what, const fs::path& path, const std::error_code& error) {
  return fail(Code::kInternal, fmt::format("cannot {} {}: {}", what, path.string(), error.message()));
}

std::error_code last_error() { return {errno, std::generic_category()}; }

Status write_all(int file, Bytes bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) {
      return system_error("write", path, last_error());
    }
    bytes = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
  // The name must not be there before the contents are, whenever the machine stops.
  return ::fdatasync(file) == 0 ? Status() : system_error("write", path, last_error());
}

}  // namespace

Result<std::unique_ptr<PackageFolder>> PackageFolder::open(const fs::path& folder) {
  std::unique_ptr<PackageFolder> out(new PackageFolder);
  out->path_ = folder;
  return out;
}

Result<std::unique_ptr<PackageFolder>> PackageFolder::create(const fs::path& repository, const std::string& model,
                                                             std::int64_t version) {
  std::unique_ptr<PackageFolder> out(new PackageFolder);
  out->target_ = repository / model / std::to_string(version);
  // A hidden folder is no model.
  out->staging_ = repository / fmt::format(".{}.{}.{}", model, version, ::getpid());
  out->path_ = out->staging_ / std::to_string(version);
  std::error_code error;
  fs::create_directories(out->path_, error);
  if (error) {
    return system_error("make", out->path_, error);
  }
  return out;
}

PackageFolder::~PackageFolder() {
  std::error_code ignored;
  for (const fs::path& file : is_kept_ ? std::vector<fs::path>() : written_) {
    fs::remove(file, ignored);
  }
  if (!staging_.empty()) {
    fs::remove_all(staging_, ignored);
  }
}

Result<std::string> PackageFolder::write(Bytes contents, std::string_view suffix) {
  std::string name = sha256_hex(contents.data(), contents.size());
  const std::string file = name + std::string(suffix);
  std::error_code error;
  // What is there by this name and in this length is what would be written.
  if (fs::file_size(path_ / file, error) == contents.size() && !error) {
    return name;
  }
  if (auto done = write_file(file, contents); !done) {
    return fail(std::move(done.error()));
  }
  written_.push_back(path_ / file);
  return name;
}

Status PackageFolder::put(const std::string& name, std::string_view contents) {
  return write_file(name, as_bytes(contents));
}

Status PackageFolder::write_file(const std::string& name, Bytes contents) {
  const fs::path fresh = path_ / fmt::format(".{}.{}", name, ::getpid());
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) {
    return system_error("write", fresh, last_error());
  }
  Status done = write_all(file, contents, fresh);
  ::close(file);
  std::error_code error;
  if (done) {
    fs::rename(fresh, path_ / name, error);
    done = error ? system_error("make", path_ / name, error) : Status();
  }
  if (!done) {
    fs::remove(fresh, error);
  }
  return done;
}

Status PackageFolder::keep() {
  std::error_code error;
  if (!target_.empty()) {
    fs::create_directories(target_.parent_path(), error);
    if (error) {
      return system_error("make", target_.parent_path(), error);
    }
    if (fs::exists(target_, error)) {
      return fail(Code::kInternal, fmt::format("{} is there already", target_.string()));
    }
    fs::rename(path_, target_, error);
    if (error) {
      return system_error("make", target_, error);
    }
    path_ = target_;
  }
  is_kept_ = true;
  return {};
}

}  // namespace shoal::models
