// A slot as operators see it: metrics, admin pages, readiness reasons. A copy; no contract of its own.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/core/clock.hpp"
#include "server/pool/slot_fsm.hpp"
#include "server/pool/worker.hpp"

namespace shoal::pool {

struct SlotView {
  std::string slot;  // "<kind>/<n>"
  std::string kind;
  SlotState state = SlotState::kLaunching;
  std::string reason;                      // of the last loss or failure; empty = none yet
  std::optional<WorkerState> worker = {};  // when ready
  std::string version = {};                // "chrome 153.0.8010.0", as the last session said
  // What its agent said of the browser, when ready.
  std::shared_ptr<const agent::v1::Capabilities> capabilities = {};
  std::uint64_t restarts = 0;                  // launches after the first
  std::optional<TimePoint> last_message = {};  // from the agent, when ready
  std::uint64_t pending_work = 0;
  std::uint64_t wasm_bytes = 0;  // the agent's own accounting, by its last heartbeat
  std::uint64_t gpu_bytes = 0;
  std::uint64_t cache_bytes = 0;
};

}  // namespace shoal::pool
