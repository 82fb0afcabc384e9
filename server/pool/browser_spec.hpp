// What a slot of a browser group launches: the group's and the pool's configuration, checked against this machine.
#pragma once

#include <cstdint>
#include <string>

#include "engine/core/result.hpp"
#include "server/pool/config.hpp"
#include "server/pool/start_gate.hpp"
#include "server/webdriver/browser.hpp"
#include "server/webdriver/browser_kind.hpp"

namespace shoal::pool {

// kInvalidArgument when it can never run here: an unknown kind, a program that is missing (and how to get it), a kind
// that cannot do what is asked.
Result<webdriver::BrowserSpec> browser_spec_of(const BrowserGroup& group, std::uint32_t number,
                                               const PoolConfig& config, const webdriver::MachineFacts& machine,
                                               const std::string& agent_url);

// What its breaker goes by.
BreakerKey breaker_key_of(const BrowserGroup& group, const PoolConfig& config, const webdriver::MachineFacts& machine,
                          const webdriver::BrowserSpec& browser);

}  // namespace shoal::pool
