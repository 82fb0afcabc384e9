// Of an AgentSession: what the agent tells of itself when it is asked.
#include <fmt/format.h>

#include <utility>

#include "server/pool/agent_session.hpp"

namespace shoal::pool {
namespace {

using agent::v1::Envelope;

constexpr std::size_t kMaxDebugs = 4;
constexpr std::size_t kMaxDebugBytes = std::size_t{16} << 20;
constexpr auto kDebugTimeout = std::chrono::seconds(10);

}  // namespace

void AgentSession::debug(agent::v1::DebugRequest request, DebugDone done) {
  const std::uint64_t work_id = next_work_id_++;
  if (std::optional<Error> error = obstacle()) {
    refuse(std::move(done), *std::move(error));
    return;
  }
  Envelope envelope;
  envelope.set_work_id(work_id);
  *envelope.mutable_debug() = std::move(request);
  if (debugs_.size() >= kMaxDebugs || !send_control(envelope)) {
    refuse(std::move(done), Error{Code::kOverloaded, fmt::format("worker {} is asked by others", state_.slot), {}});
    return;
  }
  debugs_.emplace(work_id, Debug{Clock::now() + kDebugTimeout, std::move(done), {}, 0});
}

Status AgentSession::take_debug(std::uint64_t work_id, const agent::v1::DebugReport& part) {
  const auto found = debugs_.find(work_id);
  if (found == debugs_.end()) {
    return {};  // it came too late
  }
  Debug& debug = found->second;
  debug.bytes += part.ByteSizeLong();
  if (debug.bytes > kMaxDebugBytes) {
    return fail(Code::kInvalidArgument, "a debug report without end");
  }
  debug.report.MergeFrom(part);
  if (part.last()) {
    const Debug whole = std::move(debugs_.extract(found).mapped());
    whole.done(whole.report);
  }
  return {};
}

void AgentSession::expire_debug(TimePoint now) {
  for (auto entry = debugs_.begin(); entry != debugs_.end();) {
    if (entry->second.due > now) {
      ++entry;
      continue;
    }
    const DebugDone done = std::move(entry->second.done);
    entry = debugs_.erase(entry);
    done(fail(Code::kDeadlineExceeded, fmt::format("worker {} did not answer in time", state_.slot)));
  }
}

}  // namespace shoal::pool
