#include "server/api/admin/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/api/admin/messages.hpp"
#include "server/wire/agent_messages.hpp"

namespace shoal::api::admin {
namespace {

constexpr std::size_t kMaxEvents = 1024;  // in one answer
constexpr std::size_t kMaxReasonBytes = 512;
constexpr std::uint64_t kLeastBudget = 1U << 20;
constexpr std::uint32_t kMaxTraceMs = 3'600'000;

std::string reason_or(const std::string& given, std::string_view otherwise) {
  return std::string(given.empty() ? otherwise : wire::cut_text(given, kMaxReasonBytes));
}

Error unknown(const std::string& slot) {
  return {Code::kNotFound, fmt::format("no worker '{:.100}' in this pool", slot), "slot"};
}

const schedule::Slot* scheduled(const dispatch::Dispatcher& dispatcher, const std::string& slot) {
  const auto found = dispatcher.slots().find(slot);
  return found == dispatcher.slots().end() ? nullptr : &found->second;
}

}  // namespace

Fleet::Fleet(std::function<pool::Pool*()> pool, dispatch::Dispatcher& dispatcher, const pool::EventLog& events,
             ServerControl& server)
    : pool_(std::move(pool)), dispatcher_(dispatcher), events_(events), server_(server) {}

v1::ListWorkersResponse Fleet::list(const v1::ListWorkersRequest& /*request*/) {
  v1::ListWorkersResponse response;
  if (const pool::Pool* pool = pool_()) {
    for (const pool::SlotView& view : pool->snapshot()) {
      *response.add_workers() = worker_message(view, scheduled(dispatcher_, view.slot), Clock::now());
    }
    for (const pool::BreakerView& view : pool->breakers()) {
      *response.add_breakers() = breaker_message(view);
    }
  }
  return response;
}

Result<v1::Worker> Fleet::worker(const std::string& slot, bool with_capabilities) const {
  if (const pool::Pool* pool = pool_()) {
    const std::vector<pool::SlotView> views = pool->snapshot();
    if (const auto found = std::ranges::find(views, slot, &pool::SlotView::slot); found != views.end()) {
      v1::Worker message = worker_message(*found, scheduled(dispatcher_, slot), Clock::now());
      if (with_capabilities && found->capabilities != nullptr) {
        *message.mutable_capabilities() = *found->capabilities;
      }
      return message;
    }
  }
  return fail(unknown(slot));
}

template <class Act>
Result<v1::Worker> Fleet::change(const std::string& slot, Act act) {
  pool::Pool* pool = pool_();
  Status status = pool == nullptr ? Status(fail(unknown(slot))) : act(*pool);
  if (!status) {
    return fail(status.error().code == Code::kNotFound ? unknown(slot) : std::move(status.error()));
  }
  return worker(slot);
}

Result<v1::Worker> Fleet::inspect(const v1::InspectWorkerRequest& request) { return worker(request.slot(), true); }

Result<v1::Worker> Fleet::drain(const v1::DrainWorkerRequest& request) {
  return change(request.slot(), [&](pool::Pool& pool) {
    Status status = pool.drain(request.slot(), reason_or(request.reason(), "drained by an operator"));
    if (status) {
      dispatcher_.set_intake(request.slot(), schedule::Intake::kDrained);
    }
    return status;
  });
}

Result<v1::Worker> Fleet::resume(const v1::ResumeWorkerRequest& request) {
  return change(request.slot(), [&](pool::Pool& pool) {
    Status status = pool.resume(request.slot());
    if (status) {
      dispatcher_.set_intake(request.slot(), schedule::Intake::kOpen);
    }
    return status;
  });
}

Result<v1::Worker> Fleet::recycle(const v1::RecycleWorkerRequest& request) {
  return change(request.slot(), [&](pool::Pool& pool) {
    const std::string reason = reason_or(request.reason(), "recycled by an operator");
    if (request.force()) {
      return pool.recycle(request.slot(), reason);
    }
    Status status = pool.recycle_when_idle(request.slot(), reason);
    const schedule::Slot* slot = scheduled(dispatcher_, request.slot());
    if (status && slot != nullptr && slot->intake == schedule::Intake::kOpen) {
      dispatcher_.set_intake(request.slot(), schedule::Intake::kHeld);
    }
    return status;
  });
}

Result<v1::Worker> Fleet::kill(const v1::KillWorkerRequest& request) {
  return change(request.slot(), [&](pool::Pool& pool) { return pool.kill(request.slot()); });
}

Result<v1::Worker> Fleet::set_budget(const v1::SetWorkerBudgetRequest& request) {
  if (request.bytes() < kLeastBudget) {
    return fail(Code::kInvalidArgument,
                fmt::format("bytes: expected at least {} (1 MiB), got {}", kLeastBudget, request.bytes()), "bytes");
  }
  return change(request.slot(), [&](pool::Pool& pool) {
    Status status = pool.set_memory_limit(request.slot(), request.bytes());
    if (status) {
      dispatcher_.set_budget(request.slot(), request.bytes());
    }
    return status;
  });
}

v1::ListPoisonResponse Fleet::list_poison(const v1::ListPoisonRequest& /*request*/) {
  v1::ListPoisonResponse response;
  const TimePoint now = Clock::now();
  for (const schedule::Suspect& suspect : dispatcher_.quarantine().list(now)) {
    *response.add_poison() =
        poison_message(suspect, suspect.last_loss + dispatcher_.quarantine().limits().expiry - now);
  }
  return response;
}

Result<v1::ClearPoisonResponse> Fleet::clear_poison(const v1::ClearPoisonRequest& request) {
  const std::size_t cleared = dispatcher_.clear_quarantine(request.fingerprint());
  if (cleared == 0 && !request.fingerprint().empty()) {
    return fail(Code::kNotFound,
                fmt::format("no quarantined request has the fingerprint '{:.100}'", request.fingerprint()),
                "fingerprint");
  }
  v1::ClearPoisonResponse response;
  response.set_cleared(cleared);
  return response;
}

void Fleet::debug(const v1::DebugWorkerRequest& request, Debugged done) {
  pool::Pool* pool = pool_();
  if (pool == nullptr || !worker(request.slot())) {
    done(fail(unknown(request.slot())));
    return;
  }
  v1::DebugWorkerResponse response;
  response.set_slot(request.slot());
  if (request.memory()) {
    for (const pool::AgentSession::MemorySample& from : pool->memory_curve(request.slot())) {
      v1::MemorySample& sample = *response.add_memory();
      sample.set_unix_ms(static_cast<std::uint64_t>(from.unix_ms));
      sample.mutable_memory()->set_pss_bytes(from.pss_bytes);
      sample.mutable_memory()->set_wasm_bytes(from.wasm_bytes);
      sample.mutable_memory()->set_gpu_bytes(from.gpu_bytes);
      sample.mutable_memory()->set_cache_bytes(from.cache_bytes);
    }
  }
  agent::v1::DebugRequest question;
  question.set_errors(request.errors());
  question.set_operations(request.operations());
  question.set_shaders(request.shaders());
  question.set_set_trace(request.has_trace_ms());
  question.set_trace_ms(std::min(request.trace_ms(), kMaxTraceMs));
  pool->debug(request.slot(), std::move(question),
              [response = std::move(response), done = std::move(done)](Result<agent::v1::DebugReport> report) mutable {
                if (!report) {
                  done(fail(std::move(report.error())));
                  return;
                }
                *response.mutable_report() = *std::move(report);
                done(std::move(response));
              });
}

v1::ListEventsResponse Fleet::events(const v1::ListEventsRequest& request) {
  const std::size_t limit = request.limit() == 0 ? kMaxEvents : std::min<std::size_t>(request.limit(), kMaxEvents);
  return events_message(events_.ring(), request.after(), limit);
}

}  // namespace shoal::api::admin
