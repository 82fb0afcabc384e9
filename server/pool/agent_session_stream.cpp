// Of an AgentSession: runs whose answers are read while they grow.
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "server/pool/agent_session.hpp"

namespace shoal::pool {

using agent::v1::Envelope;

void AgentSession::stream(std::uint64_t work_id, Partial partial) {
  table_.stream(
      work_id,
      [this, work_id, partial = std::move(partial)](RunOutcome outcome, std::function<void()> more) {
        held_[work_id] = Clock::now();
        partial(std::move(outcome), std::move(more));
      },
      [alive = alive_, work_id] {
        if (*alive != nullptr) {
          (*alive)->held_.erase(work_id);
          // Not from inside this call: its reader is asking.
          boost::asio::post((*alive)->executor_, [alive, work_id] {
            if (*alive != nullptr) {
              (*alive)->table_.go_on(work_id)();
            }
          });
        }
      });
}

void AgentSession::mask(std::uint64_t work_id, std::uint32_t position, std::string allowed) {
  if (lost_ || !table_.contains(work_id)) {
    return;
  }
  Envelope envelope;
  envelope.set_work_id(work_id);
  envelope.mutable_mask()->set_position(position);
  envelope.mutable_mask()->set_allowed(std::move(allowed));
  table_.keep_mask(work_id, envelope);
  if (!outbox_.follow(work_id, envelope) && socket_ != nullptr && !send_control(envelope)) {
    // Without it the run would wait until its deadline.
    boost::asio::post(executor_, table_.give_up(work_id, {Code::kResourceLimit, "the worker takes no mask now", {}}));
    cancel(work_id);
  }
}

void AgentSession::expire(TimePoint now) {
  expire_debug(now);
  expire_held(now);
}

void AgentSession::expire_held(TimePoint now) {
  std::vector<std::uint64_t> late;
  std::erase_if(held_, [&](const auto& held) {
    const bool is_late = now - held.second >= kMaxHold;
    if (is_late && table_.contains(held.first)) {
      late.push_back(held.first);
    }
    return is_late || !table_.contains(held.first);
  });
  for (const std::uint64_t work_id : late) {
    const auto answer_it = table_.give_up(
        work_id,
        {Code::kResourceLimit,
         fmt::format("the client has not taken what was made within {} seconds", kMaxHold / std::chrono::seconds(1)),
         {}});
    cancel(work_id);
    answer_it();
  }
}

}  // namespace shoal::pool
