// What becomes of a device's work while it pauses.
#include <fmt/format.h>

#include "server/pool/agent_session.hpp"

namespace shoal::pool {

Status AgentSession::take_pause(const std::optional<std::string>& reason) {
  if (!on_pause_) {
    return fail(Code::kInvalidArgument, "only devices that joined pause");
  }
  is_paused_ = is_paused_ && reason.has_value();
  on_pause_(reason);
  return {};
}

void AgentSession::pause(const std::string& reason) {
  is_paused_ = true;
  auto [work_ids, answers] =
      table_.give_up_runs({Code::kDeviceLost, fmt::format("worker {} pauses: {}", state_.slot, reason), {}});
  for (const std::uint64_t work_id : work_ids) {
    cancel(work_id);
  }
  for (const WorkTable::Answer& answer_with_error : answers) {
    answer_with_error();
  }
}

}  // namespace shoal::pool
