#include "server/schedule/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace shoal::schedule {
namespace {

bool is_exclusive(const SchedulerLimits& limits, Backend backend) {
  return std::ranges::find(limits.exclusive, backend) != limits.exclusive.end();
}

// A browser is recycled only when none of its engines is running or loading anything.
bool is_idle(const Slot& slot) {
  return std::ranges::all_of(slot.engines, [](const auto& entry) {
    const Engine& engine = entry.second;
    return engine.in_flight == 0 && std::ranges::none_of(engine.instances, [](const auto& instance) {
             return instance.second.kind == InstanceState::Kind::kLoading;
           });
  });
}

// What one slot offers for one candidate. Lower rank is better.
struct Offer {
  enum class Rank : std::uint8_t { kReady, kLoadable, kFresh, kBusy, kFailed, kNone };
  Rank rank = Rank::kNone;
  std::uint32_t in_flight = 0;
  Error error;
};

Offer offer_of(const Slot& slot, const Candidate& candidate, const SchedulerLimits& limits) {
  const auto found = slot.engines.find(candidate.backend);
  if (found == slot.engines.end()) {
    return {};
  }
  const Engine& engine = found->second;
  if (!engine.usable) {
    return {Offer::Rank::kNone, 0, Error{Code::kBackendUnavailable, engine.why_not, {}}};
  }
  if (!slot.is_up) {
    return {Offer::Rank::kBusy, engine.in_flight, {}};
  }
  const auto instance = engine.instances.find(candidate.instance);
  if (instance != engine.instances.end()) {
    switch (instance->second.kind) {
      case InstanceState::Kind::kReady:
        return {engine.in_flight < limits.max_in_flight ? Offer::Rank::kReady : Offer::Rank::kBusy, engine.in_flight, {}};
      case InstanceState::Kind::kLoading:
        return {Offer::Rank::kBusy, engine.in_flight, {}};
      case InstanceState::Kind::kFailed:
        return {Offer::Rank::kFailed, 0, instance->second.error};
    }
  }
  if (is_exclusive(limits, candidate.backend) && !engine.instances.empty()) {
    return {is_idle(slot) ? Offer::Rank::kFresh : Offer::Rank::kBusy, engine.in_flight, {}};
  }
  return {Offer::Rank::kLoadable, engine.in_flight, {}};
}

}  // namespace

Placement place(const Slots& slots, const Job& job, const SchedulerLimits& limits) {
  std::string skipped;
  Error last_error{Code::kBackendUnavailable, "", {}};
  for (const Candidate& candidate : job.candidates) {
    std::optional<Offer> best;
    std::string best_slot;
    for (const auto& [name, slot] : slots) {
      if (job.worker && *job.worker != name) {
        continue;
      }
      Offer offer = offer_of(slot, candidate, limits);
      if (!best || std::pair(offer.rank, offer.in_flight) < std::pair(best->rank, best->in_flight)) {
        best = std::move(offer);
        best_slot = name;
      }
    }
    const Offer::Rank rank = best ? best->rank : Offer::Rank::kNone;
    const auto placed = [&](Placement::Kind kind) { return Placement{kind, best_slot, candidate, skipped, {}}; };
    switch (rank) {
      case Offer::Rank::kReady: return placed(Placement::Kind::kRun);
      case Offer::Rank::kLoadable: return placed(Placement::Kind::kLoad);
      case Offer::Rank::kFresh: return placed(Placement::Kind::kFreshBrowser);
      case Offer::Rank::kBusy: return placed(Placement::Kind::kWait);
      case Offer::Rank::kFailed: last_error = best->error; break;
      case Offer::Rank::kNone:
        if (last_error.code == Code::kBackendUnavailable) {
          const std::string why = best && !best->error.message.empty() ? ": " + best->error.message : "";
          last_error.message = fmt::format("backend '{}' is not available on {}{}", backend_name(candidate.backend),
                                           job.worker ? "worker '" + *job.worker + "'" : "any worker of this pool", why);
          last_error.param = job.worker ? "shoal_worker" : "shoal_backend";
        }
        break;
    }
    skipped += (skipped.empty() ? "" : ",") + std::string(backend_name(candidate.backend));
  }
  return {Placement::Kind::kImpossible, {}, {}, {}, last_error};
}

}  // namespace shoal::schedule
