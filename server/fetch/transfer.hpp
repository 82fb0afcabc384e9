// One HTTP exchange by libcurl, which follows redirects itself only as far as the rules let it. Calling thread; blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/fetch/host_rules.hpp"

namespace shoal::fetch {

struct Access {
  HostRules rules;
  std::string token{};  // sent to `token_origin` only, wherever that leads
  std::string token_origin{};
  std::chrono::milliseconds stall{30'000};  // without a byte for so long, it is tried again
  int attempts = 5;
};

struct Ask {
  std::string url;
  std::uint64_t first = 0;  // byte of the file
  std::uint64_t count = 0;  // bytes from there; 0 = to its end
  std::string if_range{};   // the file's ETag: another file is sent whole
};

struct Reply {
  long status = 0;      // of HTTP; 0: there was none
  std::string error{};  // the library's words, of what ended early
  [[nodiscard]] bool is_done() const { return (status == 200 || status == 206) && error.empty(); }
  // Worth another try.
  [[nodiscard]] bool is_passing() const {
    return !error.empty() || status == 0 || status == 408 || status == 429 || status >= 500;
  }
};

// What a body of a 200 or 206 belongs to.
struct Head {
  long status = 0;
  std::string_view etag;  // empty: none was sent
};
// Bytes of it. False ends the transfer.
using Take = std::function<bool(const Head& head, std::string_view bytes)>;

// The answer at the end of at most five redirects. Errors are those of HostRules.
Result<Reply> transfer(const Ask& ask, const Access& access, const Take& take);

// What an answer that is not worth another try means: kUnauthenticated, kPermissionDenied, kNotFound, kUnavailable.
std::unexpected<Error> refusal(const std::string& url, const Reply& reply);

// A text of at most `most` bytes; tries again. kResourceLimit when it is longer.
Result<std::string> get_text(const std::string& url, const Access& access, std::size_t most);

// Between the attempts: 0.25 s, twice as long each time.
void wait_before(int attempt);

}  // namespace shoal::fetch
