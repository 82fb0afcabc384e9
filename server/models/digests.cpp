#include "server/models/digests.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

namespace shoal::models {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr std::uintmax_t kMaxCacheFile = std::uintmax_t{16} << 20;

struct Descriptor {
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  int number_;
};

std::unexpected<Error> io_error(std::string_view doing, const std::filesystem::path& file, int error) {
  const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kInternal;
  return fail(code, fmt::format("cannot {} {}: {}", doing, file.string(), std::generic_category().message(error)));
}

std::int64_t modified_ns(const struct stat& status) {
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

Result<std::string> sha256_of(int descriptor, const std::filesystem::path& file) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    return fail(Code::kInternal, "OpenSSL has no SHA-256");
  }
  std::vector<unsigned char> block(kReadBytes);
  while (true) {
    const ssize_t count = ::read(descriptor, block.data(), block.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return io_error("read", file, errno);
    }
    if (count == 0) {
      break;
    }
    EVP_DigestUpdate(context.get(), block.data(), static_cast<std::size_t>(count));
  }
  std::array<unsigned char, 32> hash{};
  EVP_DigestFinal_ex(context.get(), hash.data(), nullptr);
  std::string hex;
  for (const unsigned char byte : hash) {
    hex += fmt::format("{:02x}", byte);
  }
  return hex;
}

}  // namespace

Digests::Digests(std::filesystem::path store) {
  if (!store.empty()) {
    file_ = std::move(store) / "digests.json";
    load();
  }
}

void Digests::load() {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file_, error);
  if (error || size > kMaxCacheFile) {
    return;
  }
  std::ifstream in(file_, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const nlohmann::json root = nlohmann::json::parse(text, nullptr, false);
  if (!root.is_object()) {
    return;
  }
  for (const auto& [path, row] : root.items()) {
    // Whatever is not as we write it is left out and computed again.
    const bool is_ours = row.is_object() && row.contains("size") && row["size"].is_number_unsigned() &&
                         row.contains("modified_ns") && row["modified_ns"].is_number_integer() &&
                         row.contains("sha256") && row["sha256"].is_string() &&
                         row["sha256"].get_ref<const std::string&>().size() == 64;
    if (is_ours) {
      entries_[path] = Entry{.size = row["size"].get<std::uint64_t>(),
                             .modified_ns = row["modified_ns"].get<std::int64_t>(),
                             .sha256 = row["sha256"].get<std::string>()};
    }
  }
}

Result<Blob> Digests::digest(const std::filesystem::path& file) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.number_ < 0) {
    return io_error("open", file, errno);
  }
  struct stat before = {};
  if (::fstat(descriptor.number_, &before) != 0) {
    return io_error("look at", file, errno);
  }
  if (!S_ISREG(before.st_mode)) {
    return fail(Code::kNotFound, fmt::format("{} is not a regular file", file.string()));
  }
  const auto size = static_cast<std::uint64_t>(before.st_size);
  Entry& entry = entries_[file.string()];
  if (entry.sha256.empty() || entry.size != size || entry.modified_ns != modified_ns(before)) {
    auto hash = sha256_of(descriptor.number_, file);
    if (!hash) {
      return fail(std::move(hash.error()));
    }
    struct stat after = {};
    if (::fstat(descriptor.number_, &after) != 0 || after.st_size != before.st_size ||
        modified_ns(after) != modified_ns(before)) {
      entry = {};
      return fail(Code::kInternal, fmt::format("{} changed while it was read", file.string()));
    }
    entry = Entry{.size = size, .modified_ns = modified_ns(before), .sha256 = std::move(*hash)};
    is_dirty_ = true;
  }
  return Blob{.sha256 = entry.sha256, .path = file, .size = size};
}

Status Digests::save() {
  if (file_.empty() || !is_dirty_) {
    return {};
  }
  nlohmann::json root = nlohmann::json::object();
  for (const auto& [path, entry] : entries_) {
    std::error_code gone;
    if (!entry.sha256.empty() && std::filesystem::exists(path, gone)) {
      root[path] = {{"size", entry.size}, {"modified_ns", entry.modified_ns}, {"sha256", entry.sha256}};
    }
  }
  std::error_code error;
  std::filesystem::create_directories(file_.parent_path(), error);
  const std::filesystem::path fresh = file_.string() + fmt::format(".{}", ::getpid());
  {
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    // A path need not be UTF-8: such a name is written with replacement characters, and only misses the cache.
    out << root.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    if (!out.flush()) {
      return fail(Code::kInternal, fmt::format("cannot write {}", fresh.string()));
    }
  }
  std::filesystem::rename(fresh, file_, error);
  if (error) {
    return fail(Code::kInternal, fmt::format("cannot rename {}: {}", fresh.string(), error.message()));
  }
  is_dirty_ = false;
  return {};
}

}  // namespace shoal::models
