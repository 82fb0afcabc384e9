#include "server/pool/slot_specs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "server/core/cpu_list.hpp"
#include "server/pool/browser_groups.hpp"
#include "server/pool/browser_spec.hpp"
#include "server/webdriver/browser_kind.hpp"

namespace shoal::pool {
namespace {

// What browsers share of this machine.
struct Shares {
  CpuList allowed;
  std::size_t browsers = 0;   // all that there will ever be: pinned ones have CPUs of their own
  std::uint32_t threads = 1;  // of each worker that serves at once with as many others as there may be
};

Result<Shares> shares_of(const PoolConfig& config) {
  Shares shares{.allowed = allowed_cpus()};
  std::uint32_t serving = 0;  // spares compute nothing
  for (const BrowserGroup& group : config.groups) {
    shares.browsers += browser_count_of(group);
    serving += most_of(group) * group.tabs;
    if (!std::ranges::includes(shares.allowed, group.cpus)) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("cpus={}: this process may use {}", cpu_list_text(group.cpus), cpu_list_text(shares.allowed)),
          "cpus");
    }
  }
  const std::uint32_t cores = std::max(1U, static_cast<std::uint32_t>(shares.allowed.size()));
  shares.threads = std::max(1U, cores / std::max(1U, serving));
  return shares;
}

std::uint32_t threads_of(const BrowserGroup& pinned, const Shares& shares) {
  if (pinned.threads > 0) {
    return pinned.threads;
  }
  const auto own = static_cast<std::uint32_t>(pinned.cpus.size());
  return own > 0 ? std::max(1U, own / pinned.tabs) : shares.threads;
}

}  // namespace

Result<std::vector<std::vector<SlotSpec>>> slot_specs_of(const PoolConfig& config, const std::string& agent_url) {
  const webdriver::MachineFacts machine = webdriver::read_machine_facts();
  const Result<Shares> shares = shares_of(config);
  if (!shares) {
    return fail(shares.error());
  }
  std::vector<std::vector<SlotSpec>> specs;
  std::map<std::string, std::uint32_t> numbers;  // groups of one kind share its numbering
  std::size_t browsers = 0;
  for (const BrowserGroup& group : config.groups) {
    std::vector<SlotSpec>& own = specs.emplace_back();
    for (std::uint32_t count = 0; count < browser_count_of(group); ++count, ++browsers) {
      BrowserGroup pinned = group;
      if (config.pins_cpus && group.cpus.empty()) {
        pinned.cpus = part_of(shares->allowed, browsers, shares->browsers);
      }
      const std::string& url = group.agent_url.empty() ? agent_url : group.agent_url;
      Result<webdriver::BrowserSpec> browser = browser_spec_of(pinned, numbers[group.kind], config, machine, url);
      if (!browser) {
        return fail(std::move(browser.error()));
      }
      for (std::uint32_t tab = 0; tab < group.tabs; ++tab) {
        own.push_back({.name = fmt::format("{}/{}", group.kind, numbers[group.kind]++),
                       .kind = group.kind,
                       .backends = group.backends,
                       .threads = threads_of(pinned, *shares),
                       .agent_url = url,
                       .breaker = breaker_key_of(pinned, config, machine, *browser),
                       .browser = *browser,
                       .duty = BrowserGroups::first_duty(group, count),
                       .tab = tab,
                       .tabs = group.tabs});
      }
    }
  }
  return specs;
}

}  // namespace shoal::pool
