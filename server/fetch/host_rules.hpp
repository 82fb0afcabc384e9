// Which hosts a download may be led to. Pure.
#pragma once

#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/fetch/address.hpp"

namespace shoal::fetch {

// Where Hugging Face keeps its files.
std::vector<std::string> default_hosts();

class HostRules {
 public:
  // `allowed`: hosts, or "*.domain" for all below one. What people have named themselves (an endpoint, an address) is
  // among them; http is for hosts of this machine only.
  explicit HostRules(std::vector<std::string> allowed);

  // kPermissionDenied naming the host; kInvalidArgument for what is no address.
  [[nodiscard]] Result<Url> check(const std::string& url) const;

 private:
  std::vector<std::string> allowed_;
};

}  // namespace shoal::fetch
