#include "server/api/http/site_policy.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace shoal::api::http {

SitePolicy::SitePolicy(std::uint16_t port, const std::vector<std::string>& public_hosts) : hosts_(public_hosts) {
  for (const std::string_view name : {"127.0.0.1", "localhost", "[::1]"}) {
    hosts_.push_back(fmt::format("{}:{}", name, port));
    if (port == 80 || port == 443) {
      hosts_.emplace_back(name);
    }
  }
}

bool SitePolicy::is_ours(std::string_view host) const { return std::ranges::find(hosts_, host) != hosts_.end(); }

Status SitePolicy::check(std::string_view host, std::string_view origin, std::string_view sec_fetch_site,
                         bool guarded) const {
  if (!guarded && origin.empty() && sec_fetch_site.empty()) {
    return {};
  }
  if (!is_ours(host)) {
    return fail(Code::kInvalidArgument,
                fmt::format("Host '{:.100}' is not one of this server's; server.public_hosts names them", host),
                "Host");
  }
  if (!origin.empty()) {
    const std::size_t scheme = origin.starts_with("http://") ? 7 : origin.starts_with("https://") ? 8 : 0;
    if (scheme == 0 || !is_ours(origin.substr(scheme))) {
      return fail(Code::kInvalidArgument, fmt::format("Origin '{:.100}' is not this server", origin), "Origin");
    }
  }
  if (!sec_fetch_site.empty() && sec_fetch_site != "same-origin" && sec_fetch_site != "none") {
    return fail(Code::kInvalidArgument, fmt::format("a request from another site ({:.40}) is refused", sec_fetch_site),
                "Sec-Fetch-Site");
  }
  return {};
}

}  // namespace shoal::api::http
