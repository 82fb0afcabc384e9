// Which pages may talk to this server: guards against DNS rebinding and against other sites' scripts. A request that a
// browser marks (Origin, Sec-Fetch-Site) must name one of our own hosts and come from one of our own pages; routes of
// the agent ask this of every request. Programs send neither header and pass. What CorsPolicy allows is not asked for
// its origin, only for the host. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::api::http {

class SitePolicy {
 public:
  // Loopback names with `port`, and `public_hosts` as they are ("host" or "host:port").
  SitePolicy(std::uint16_t port, const std::vector<std::string>& public_hosts);

  // kInvalidArgument with the reason. Empty = the header was not sent.
  [[nodiscard]] Status check(std::string_view host, std::string_view origin, std::string_view sec_fetch_site,
                             bool guarded) const;

 private:
  [[nodiscard]] bool is_ours(std::string_view host) const;

  std::vector<std::string> hosts_;
};

}  // namespace shoal::api::http
