// Content-Encoding of bodies: gzip (RFC 1952) and deflate in zlib's format (RFC 1950), by zlib. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"

namespace shoal::api::http {

enum class Coding : std::uint8_t { kIdentity, kGzip, kDeflate };
std::string_view coding_name(Coding coding);  // "gzip", ...

// Of a Content-Encoding header; empty is kIdentity. Nothing for any other coding, and for more than one.
std::optional<Coding> coding_of(std::string_view content_encoding);
// The one that an Accept-Encoding header likes best, gzip where it likes both alike; kIdentity where it names neither.
Coding preferred_coding(std::string_view accept_encoding);

// Decompresses one body in steps, so that the caller can bound what it becomes.
class Inflater {
 public:
  // `body`, which must outlive this, is of kGzip or kDeflate.
  Inflater(Coding coding, std::string_view body);
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater();

  // Appends up to `count` bytes. True: that was the end. kInvalidArgument: damaged, cut off, or followed by something.
  Result<bool> append(std::string& out, std::size_t count);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  Coding coding_;
};

// Nothing when it would not become smaller. `coding` is kGzip or kDeflate.
std::optional<std::string> compressed(Coding coding, std::string_view body);

}  // namespace shoal::api::http
