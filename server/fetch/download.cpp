#include "server/fetch/download.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <system_error>
#include <vector>

namespace shoal::fetch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSpare = std::uint64_t{64} << 20;  // left on the disk for others

std::unexpected<Error> disk_error(const fs::path& file) {
  return fail(Code::kInternal, fmt::format("cannot write '{}': {}", file.string(), std::strerror(errno)));
}

std::uint64_t size_of(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  return error ? 0 : size;
}

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

Status check_room(const Download& wanted, std::uint64_t there) {
  if (wanted.bytes && *wanted.bytes > wanted.most) {
    return fail(Code::kResourceLimit,
                fmt::format("{} has {} bytes, more than {}: --max-download allows more", wanted.url, *wanted.bytes,
                            wanted.most),
                "source");
  }
  std::error_code error;
  const fs::space_info room = fs::space(wanted.target.parent_path(), error);
  const std::uint64_t left = wanted.bytes && *wanted.bytes > there ? *wanted.bytes - there : 0;
  if (!error && room.available < left + kSpare) {
    return fail(Code::kResourceLimit,
                fmt::format("'{}' has room for {} bytes, {} has {} more", wanted.target.parent_path().string(),
                            room.available, wanted.url, left));
  }
  return {};
}

// The part as it grows.
struct Part {
  fs::path path;
  fs::path tag;  // of what it is a part
  std::ofstream out{};
  std::uint64_t bytes = 0;
  bool has_begun = false;  // this transfer has written
  bool is_too_long = false;
  bool is_broken = false;

  // A server that sends the whole file again begins afresh.
  bool write(const Head& head, std::string_view data, const Download& wanted) {
    if (!has_begun) {
      has_begun = true;
      const bool goes_on = head.status == 206;
      bytes = goes_on ? bytes : 0;
      // Weak tags do not promise the same bytes.
      if (wanted.sha256.empty() && !head.etag.starts_with("W/")) {
        std::ofstream(tag, std::ios::trunc) << head.etag << '\n';
      }
      out.open(path, std::ios::binary | (goes_on ? std::ios::app : std::ios::trunc));
    }
    bytes += data.size();
    is_too_long = bytes > wanted.bytes.value_or(wanted.most);
    if (!is_too_long) {
      out.write(data.data(), static_cast<std::streamsize>(data.size()));
      is_broken = !out.good();
    }
    if (wanted.on_progress) {
      wanted.on_progress(bytes);
    }
    return !is_too_long && !is_broken;
  }
};

Status finish(const Download& wanted, const fs::path& part) {
  std::error_code error;
  const auto remove = [&] { fs::remove(part, error); };
  if (wanted.bytes && size_of(part) != *wanted.bytes) {
    const auto size = size_of(part);
    remove();
    return fail(Code::kUnavailable, fmt::format("{} has {} bytes, not {}", wanted.url, size, *wanted.bytes), "source");
  }
  if (!wanted.sha256.empty()) {
    const auto found = sha256_of(part);
    if (!found) {
      return fail(found.error());
    }
    if (*found != wanted.sha256) {
      remove();
      return fail(Code::kUnavailable,
                  fmt::format("{} has the sha256 {}, not {} as was announced", wanted.url, *found, wanted.sha256),
                  "source");
    }
  }
  fs::rename(part, wanted.target, error);
  return error ? fail(Code::kInternal, fmt::format("cannot write '{}': {}", wanted.target.string(), error.message()))
               : Status();
}

}  // namespace

Status download(const Download& wanted, const Access& access) {
  std::error_code error;
  fs::create_directories(wanted.target.parent_path(), error);
  const fs::path part = wanted.target.string() + ".part";
  const fs::path tag = wanted.target.string() + ".etag";
  for (int attempt = 1;; ++attempt) {
    Part now{.path = part, .tag = tag};
    now.bytes = size_of(part);
    // With a checksum a part is what it should be or is found out at the end; without one it goes on for the same tag
    // only.
    const std::string etag = wanted.sha256.empty() ? first_line(tag) : std::string();
    if ((wanted.sha256.empty() && etag.empty()) || (wanted.bytes && now.bytes > *wanted.bytes)) {
      now.bytes = 0;
    }
    if (Status room = check_room(wanted, now.bytes); !room) {
      return room;
    }
    if (wanted.bytes && now.bytes == *wanted.bytes && now.bytes > 0) {
      fs::remove(tag, error);
      return finish(wanted, part);
    }
    const auto reply = transfer({.url = wanted.url, .first = now.bytes, .if_range = etag}, access,
                                [&](const Head& head, std::string_view data) { return now.write(head, data, wanted); });
    now.out.close();
    if (!reply) {
      return fail(reply.error());
    }
    if (now.is_broken) {
      return disk_error(part);
    }
    if (now.is_too_long) {
      fs::remove(part, error);
      return fail(Code::kResourceLimit,
                  fmt::format("{} has more than {} bytes", wanted.url, wanted.bytes.value_or(wanted.most)), "source");
    }
    if (reply->is_done()) {
      // An empty file has no body.
      if (!now.has_begun) {
        std::ofstream(part, std::ios::trunc);
      }
      fs::remove(tag, error);
      return finish(wanted, part);
    }
    if (reply->status == 416) {
      fs::remove(part, error);
    } else if (!reply->is_passing()) {
      return refusal(wanted.url, *reply);
    }
    if (attempt >= access.attempts) {
      return refusal(wanted.url, *reply);
    }
    wait_before(attempt + 1);
  }
}

Status download_head(const std::string& url, const fs::path& target, std::uint64_t count, std::uint64_t bytes,
                     const Access& access) {
  std::error_code error;
  fs::create_directories(target.parent_path(), error);
  for (int attempt = 1;; ++attempt) {
    std::string head;
    const auto reply = transfer({.url = url, .count = count}, access, [&](const Head&, std::string_view data) {
      head += data.substr(0, count - head.size());
      return head.size() < count;
    });
    if (!reply) {
      return fail(reply.error());
    }
    // A server that knows no ranges is stopped in the middle.
    if (head.size() == std::min(count, bytes)) {
      std::ofstream(target, std::ios::binary | std::ios::trunc)
          .write(head.data(), static_cast<std::streamsize>(head.size()));
      fs::resize_file(target, bytes, error);
      return error ? fail(Code::kInternal, fmt::format("cannot write '{}': {}", target.string(), error.message()))
                   : Status();
    }
    if (!reply->is_passing() || attempt >= access.attempts) {
      return refusal(url, *reply);
    }
    wait_before(attempt + 1);
  }
}

Result<std::string> sha256_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  std::vector<char> piece(std::size_t{1} << 20);
  while (in) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    EVP_DigestUpdate(context.get(), piece.data(), static_cast<std::size_t>(in.gcount()));
  }
  if (!in.eof()) {
    return fail(Code::kInternal, fmt::format("cannot read '{}'", file.string()));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  std::string out;
  for (unsigned int index = 0; index < size; ++index) {
    out += fmt::format("{:02x}", digest[index]);
  }
  return out;
}

}  // namespace shoal::fetch
