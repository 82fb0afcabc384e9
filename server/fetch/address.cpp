#include "server/fetch/address.hpp"

#include <curl/urlapi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>

#include "server/core/split.hpp"

namespace shoal::fetch {
namespace {

constexpr std::string_view kHub = "hf:";
constexpr std::size_t kMaxBytes = 2048;
constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kMaxPartBytes = 255;

std::unexpected<Error> wrong(std::string_view source, std::string_view expected) {
  return fail(Code::kInvalidArgument, fmt::format("'{}': expected {}", source.substr(0, 200), expected), "source");
}

bool is_word(std::string_view text, std::string_view others) {
  return !text.empty() && std::ranges::all_of(text, [&](char each) {
    return std::isalnum(static_cast<unsigned char>(each)) != 0 || others.contains(each);
  });
}

// Of an owner, a name or a revision: no part of a path that leads elsewhere.
bool is_part(std::string_view text) {
  return is_word(text, "._-") && text.size() <= kMaxPartBytes && !text.starts_with('.');
}

Result<Address> hub_address(std::string_view source) {
  constexpr std::string_view kExpected = "hf:owner/name, hf:owner/name@revision or hf:owner/name/file.gguf";
  std::string_view rest = source.substr(kHub.size());
  HubAddress out;
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) {
    return wrong(source, kExpected);
  }
  const std::size_t end = std::min(rest.find_first_of("@/", slash + 1), rest.size());
  const std::string_view owner = rest.substr(0, slash);
  const std::string_view name = rest.substr(slash + 1, end - slash - 1);
  rest.remove_prefix(end);
  if (!is_part(owner) || !is_part(name)) {
    return wrong(source, kExpected);
  }
  out.repository = fmt::format("{}/{}", owner, name);
  if (rest.starts_with('@')) {
    const std::size_t stop = std::min(rest.find('/'), rest.size());
    out.revision = rest.substr(1, stop - 1);
    rest.remove_prefix(stop);
    if (!is_part(out.revision)) {
      return wrong(source, "a branch, a tag or a commit after '@', of letters, digits and ._-");
    }
  }
  if (!rest.empty()) {
    out.file = rest.substr(1);
    if (!is_safe_name(out.file) || !out.file.ends_with(".gguf")) {
      return wrong(source,
                   "a file that ends in .gguf after the name; without a file all that the model needs is taken");
    }
  }
  return out;
}

Result<Address> url_address(std::string_view source) {
  const std::string text(source);
  const auto url = parse_url(text);
  if (!url) {
    return fail(url.error());
  }
  const std::string file(std::string_view(url->path).substr(url->path.rfind('/') + 1));
  if (!file.ends_with(".gguf") || !is_safe_name(file)) {
    return wrong(source, "the address of one file that ends in .gguf, or a repository as hf:owner/name");
  }
  if (url->scheme == "http" && !is_loopback(url->host)) {
    return wrong(source, "https; http is for servers of this machine");
  }
  return UrlAddress{.url = text, .file = file};
}

}  // namespace

bool is_address(std::string_view source) {
  return source.starts_with(kHub) || source.starts_with("https://") || source.starts_with("http://");
}

Result<Address> parse_address(std::string_view source) {
  if (source.size() > kMaxBytes) {
    return wrong(source, fmt::format("at most {} bytes", kMaxBytes));
  }
  return source.starts_with(kHub) ? hub_address(source) : url_address(source);
}

bool is_safe_name(std::string_view name) {
  return name.size() <= kMaxNameBytes && std::ranges::all_of(split(name, '/'), [](std::string_view part) {
           return is_word(part, " ._+=@,()-") && part.size() <= kMaxPartBytes && part != "." && part != "..";
         });
}

Result<Url> parse_url(const std::string& text) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> handle(curl_url(), curl_url_cleanup);
  const auto part = [&](CURLUPart which, unsigned int flags = 0) {
    char* value = nullptr;
    std::string out;
    if (curl_url_get(handle.get(), which, &value, flags) == CURLUE_OK && value != nullptr) {
      out = value;
      curl_free(value);
    }
    return out;
  };
  const bool is_read = handle != nullptr && text.size() <= kMaxBytes * 2 &&
                       curl_url_set(handle.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER) == CURLUE_OK;
  Url out;
  if (is_read) {
    out = {.scheme = part(CURLUPART_SCHEME),
           .host = part(CURLUPART_HOST),
           .port = part(CURLUPART_PORT, CURLU_DEFAULT_PORT),
           .path = part(CURLUPART_PATH)};
  }
  if (out.host.empty() || (out.scheme != "http" && out.scheme != "https")) {
    return wrong(text, "an http or https address without a user");
  }
  std::ranges::transform(out.host, out.host.begin(), [](unsigned char each) { return std::tolower(each); });
  if (out.host.starts_with('[') && out.host.ends_with(']')) {
    out.host = out.host.substr(1, out.host.size() - 2);
  }
  return out;
}

std::string Url::origin() const { return fmt::format("{}://{}:{}", scheme, host, port); }

bool is_loopback(std::string_view host) {
  const bool is_v4 = host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
  return is_v4 || host == "::1" || host == "localhost";
}

}  // namespace shoal::fetch
