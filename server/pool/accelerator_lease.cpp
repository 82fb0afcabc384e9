#include "server/pool/accelerator_lease.hpp"

namespace shoal::pool {

std::vector<Backend> AcceleratorLease::take(const std::string& browser, const std::vector<Backend>& wanted) {
  std::vector<Backend> granted;
  for (const Backend backend : wanted) {
    if (is_denied(browser, backend)) {
      continue;
    }
    granted.push_back(backend);
    if (is_exclusive_ && backend != Backend::kWasm) {
      holders_[backend] = browser;
    }
  }
  return granted;
}

void AcceleratorLease::give_up(const std::string& browser) {
  std::erase_if(holders_, [&browser](const auto& held) { return held.second == browser; });
}

void AcceleratorLease::give_up(const std::string& browser, Backend backend) {
  if (holder(backend) == browser) {
    holders_.erase(backend);
  }
}

bool AcceleratorLease::is_denied(const std::string& browser, Backend backend) const {
  const auto held = holders_.find(backend);
  return held != holders_.end() && held->second != browser;
}

std::string AcceleratorLease::holder(Backend backend) const {
  const auto held = holders_.find(backend);
  return held == holders_.end() ? std::string() : held->second;
}

}  // namespace shoal::pool
