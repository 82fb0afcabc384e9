#include "server/fetch/host_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

namespace shoal::fetch {

std::vector<std::string> default_hosts() { return {"huggingface.co", "*.huggingface.co", "hf.co", "*.hf.co"}; }

HostRules::HostRules(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {
  for (std::string& host : allowed_) {
    std::ranges::transform(host, host.begin(), [](unsigned char each) { return std::tolower(each); });
  }
}

Result<Url> HostRules::check(const std::string& url) const {
  auto read = parse_url(url);
  if (!read) {
    return read;
  }
  const std::string_view host = read->host;
  const bool is_allowed = std::ranges::any_of(allowed_, [&](std::string_view rule) {
    return rule.starts_with("*.") ? host.ends_with(rule.substr(1)) && host.size() + 1 > rule.size() : host == rule;
  });
  if (!is_allowed) {
    return fail(Code::kPermissionDenied,
                fmt::format("nothing is fetched from '{}': allow it by --allow-host {}", host, host), "source");
  }
  if (read->scheme != "https" && !is_loopback(host)) {
    return fail(Code::kPermissionDenied,
                fmt::format("nothing is fetched from '{}' by {}: only by https", host, read->scheme), "source");
  }
  return read;
}

}  // namespace shoal::fetch
