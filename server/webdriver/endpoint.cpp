#include "server/webdriver/endpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace shoal::webdriver {

namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::string_view kTlsScheme = "https://";

// The number after a host, ":4444"; nothing when it is no port.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && rest == text.data() + text.size() && port != 0 ? std::optional(port) : std::nullopt;
}

bool is_host(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':';
  });
}

bool is_path(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return std::isgraph(c) != 0 && c != '?' && c != '#'; });
}

Result<Endpoint> parse(std::string_view url, bool may_be_tls) {
  const auto refuse = [url, may_be_tls] {
    return fail(Code::kInvalidArgument,
                fmt::format("expected http{}://host[:port][/path], got '{}'", may_be_tls ? "[s]" : "", url), "url");
  };
  const bool is_tls = may_be_tls && url.starts_with(kTlsScheme);
  if (!is_tls && !url.starts_with(kScheme)) {
    return refuse();
  }
  const std::string_view rest = url.substr(is_tls ? kTlsScheme.size() : kScheme.size());
  std::string_view authority = rest.substr(0, rest.find('/'));
  std::string_view path = rest.substr(authority.size());
  while (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  Endpoint endpoint{
      .host = {}, .port = static_cast<std::uint16_t>(is_tls ? 443 : 80), .path = std::string(path), .is_tls = is_tls};
  const bool is_v6 = authority.starts_with('[');
  const std::size_t host_end = is_v6 ? authority.find(']') : authority.find(':');
  if (is_v6 && host_end == std::string_view::npos) {
    return refuse();
  }
  endpoint.host = authority.substr(is_v6 ? 1 : 0, host_end - (is_v6 ? 1 : 0));
  authority.remove_prefix(std::min(authority.size(), host_end + (is_v6 ? 1 : 0)));
  if (!authority.empty()) {
    const auto port = authority.starts_with(':') ? parse_port(authority.substr(1)) : std::nullopt;
    if (!port) {
      return refuse();
    }
    endpoint.port = *port;
  }
  return is_host(endpoint.host) && is_path(path) ? Result<Endpoint>(std::move(endpoint)) : refuse();
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) { return parse(url, false); }
Result<Endpoint> parse_page_url(std::string_view url) { return parse(url, true); }

std::string authority_of(const Endpoint& endpoint) {
  const bool is_v6 = endpoint.host.contains(':');
  return fmt::format("{}{}{}:{}", is_v6 ? "[" : "", endpoint.host, is_v6 ? "]" : "", endpoint.port);
}

std::string url_of(const Endpoint& endpoint) {
  return std::string(endpoint.is_tls ? kTlsScheme : kScheme) + authority_of(endpoint) + endpoint.path;
}

}  // namespace shoal::webdriver
