// The slots that a configuration makes, checked against this machine: who launches what, with how many threads, on
// which CPUs.
#pragma once

#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/pool/config.hpp"
#include "server/pool/slot.hpp"

namespace shoal::pool {

// By group, in the order of their numbers; the tabs of a browser follow each other. `agent_url`: of groups that have
// none of their own. kInvalidArgument naming the key that cannot be had.
Result<std::vector<std::vector<SlotSpec>>> slot_specs_of(const PoolConfig& config, const std::string& agent_url);

}  // namespace shoal::pool
