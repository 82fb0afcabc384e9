#include "server/fetch/fetch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "server/core/ids.hpp"
#include "server/fetch/address.hpp"
#include "server/fetch/download.hpp"
#include "server/fetch/hub_listing.hpp"

namespace shoal::fetch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kGgufHead = std::uint64_t{64} << 20;  // vocabularies stand there
constexpr std::uint64_t kSafetensorsHead = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostHead = std::uint64_t{128} << 20;

// Of a folder, while one process fills it.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& folder)
      : file_(::open((folder / ".lock").c_str(), O_CREAT | O_CLOEXEC | O_RDWR, 0600)) {
    while (file_ >= 0 && ::flock(file_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (file_ >= 0) {
      ::close(file_);
    }
  }
  [[nodiscard]] bool is_held() const { return file_ >= 0; }

 private:
  int file_;
};

bool has(const fs::path& file, const HubFile& wanted) {
  std::error_code error;
  return fs::is_regular_file(file, error) && fs::file_size(file, error) == wanted.bytes;
}

bool is_weights(std::string_view name) { return name.ends_with(".safetensors") || name.ends_with(".gguf"); }

Status head_of(const std::string& url, const fs::path& target, const HubFile& file, const Access& access) {
  if (file.name.ends_with(".gguf")) {
    return download_head(url, target, kGgufHead, file.bytes, access);
  }
  if (Status first = download_head(url, target, kSafetensorsHead, file.bytes, access); !first) {
    return first;
  }
  // u64 little-endian: bytes of the description behind it.
  std::uint64_t size = 0;
  std::ifstream(target, std::ios::binary).read(reinterpret_cast<char*>(&size), sizeof(size));
  if (size > kMostHead) {
    return fail(Code::kInvalidArgument, fmt::format("{}: a description of {} bytes", url, size), "source");
  }
  return size + sizeof(size) <= kSafetensorsHead ? Status()
                                                 : download_head(url, target, size + sizeof(size), file.bytes, access);
}

// Files of one model, one after the other.
class Fetch {
 public:
  Fetch(const FetchOptions& options, Access access) : options_(options), access_(std::move(access)) {}

  Status files(const std::vector<HubFile>& wanted, const fs::path& folder, const std::string& base) {
    for (const HubFile& file : wanted) {
      total_ += file.bytes;
    }
    if (total_ > options_.most_bytes && !options_.is_heads_only) {
      return fail(
          Code::kResourceLimit,
          fmt::format("the model has {} bytes, more than {}: --max-download allows more", total_, options_.most_bytes),
          "source");
    }
    for (const HubFile& file : wanted) {
      const fs::path target = folder / file.name;
      const std::string url = base + encoded(file.name);
      if (!has(target, file)) {
        Status done = options_.is_heads_only && is_weights(file.name) ? head_of(url, target, file, access_)
                                                                      : download(whole(url, target, file), access_);
        if (!done) {
          return done;
        }
      }
      before_ += file.bytes;
    }
    return {};
  }

 private:
  Download whole(const std::string& url, const fs::path& target, const HubFile& file) const {
    return {.url = url,
            .target = target,
            .bytes = file.bytes,
            .sha256 = file.sha256,
            .most = options_.most_bytes,
            .on_progress = [this, &file](std::uint64_t bytes) {
              if (options_.on_progress) {
                options_.on_progress(file.name, before_ + bytes, total_);
              }
            }};
  }

  // Of the bytes that a safe name may have.
  static std::string encoded(std::string_view name) {
    std::string out;
    for (const char each : name) {
      out += each == ' ' ? "%20" : each == '+' ? "%2B" : std::string(1, each);
    }
    return out;
  }

  const FetchOptions& options_;
  Access access_;
  std::uint64_t before_ = 0;
  std::uint64_t total_ = 0;
};

Result<Fetched> from_hub(const HubAddress& address, const FetchOptions& options, const Access& access) {
  const std::string listing_url =
      fmt::format("{}/api/models/{}/revision/{}?blobs=true", options.endpoint, address.repository, address.revision);
  const auto text = get_text(listing_url, access, kMaxListingBytes);
  if (!text) {
    return fail(text.error());
  }
  const auto listing = read_listing(*text);
  if (!listing) {
    return fail(listing.error());
  }
  const auto wanted = files_of_model(*listing, address);
  if (!wanted) {
    return fail(wanted.error());
  }
  const fs::path folder =
      options.folder / (options.is_heads_only ? "hub-heads" : "hub") / address.repository / listing->commit;
  std::error_code error;
  fs::create_directories(folder, error);
  const FolderLock lock(folder);
  if (!lock.is_held()) {
    return fail(Code::kInternal, fmt::format("cannot write '{}': {}", folder.string(), std::strerror(errno)));
  }
  const std::string base = fmt::format("{}/{}/resolve/{}/", options.endpoint, address.repository, listing->commit);
  if (Status done = Fetch(options, access).files(*wanted, folder, base); !done) {
    return fail(std::move(done.error()));
  }
  const bool is_file = wanted->size() == 1 && wanted->front().name.ends_with(".gguf");
  return Fetched{.path = is_file ? folder / wanted->front().name : folder,
                 .name = fmt::format("{}@{}", address.repository, listing->commit)};
}

Result<Fetched> from_url(const UrlAddress& address, const FetchOptions& options, const Access& access) {
  const fs::path folder = options.folder / "url" / sha256_hex(address.url.data(), address.url.size()).substr(0, 16);
  const fs::path target = folder / address.file;
  std::error_code error;
  fs::create_directories(folder, error);
  const FolderLock lock(folder);
  if (!lock.is_held()) {
    return fail(Code::kInternal, fmt::format("cannot write '{}': {}", folder.string(), std::strerror(errno)));
  }
  if (!fs::is_regular_file(target, error)) {
    const Download wanted{
        .url = address.url, .target = target, .most = options.most_bytes, .on_progress = [&](std::uint64_t bytes) {
          if (options.on_progress) {
            options.on_progress(address.file, bytes, 0);
          }
        }};
    if (Status done = download(wanted, access); !done) {
      return fail(std::move(done.error()));
    }
  }
  return Fetched{.path = target, .name = address.url};
}

}  // namespace

Result<Fetched> fetch(std::string_view source, const FetchOptions& options) {
  const auto address = parse_address(source);
  if (!address) {
    return fail(address.error());
  }
  std::vector<std::string> hosts = default_hosts();
  hosts.insert(hosts.end(), options.allowed_hosts.begin(), options.allowed_hosts.end());
  FetchOptions kept = options;
  if (const auto* url = std::get_if<UrlAddress>(&*address)) {
    hosts.push_back(parse_url(url->url)->host);
    return from_url(*url, kept, {.rules = HostRules(std::move(hosts))});
  }
  while (kept.endpoint.ends_with('/')) {
    kept.endpoint.pop_back();
  }
  const auto endpoint = parse_url(kept.endpoint);
  if (!endpoint || (endpoint->scheme == "http" && !is_loopback(endpoint->host))) {
    return fail(Code::kInvalidArgument,
                fmt::format("the endpoint '{}': expected https://HOST, or http of this machine", kept.endpoint),
                "endpoint");
  }
  hosts.push_back(endpoint->host);
  return from_hub(std::get<HubAddress>(*address), kept,
                  {.rules = HostRules(std::move(hosts)), .token = kept.token, .token_origin = endpoint->origin()});
}

}  // namespace shoal::fetch
