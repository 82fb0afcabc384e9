#include "server/schedule/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace shoal::schedule {
namespace {

// The idle instance that was used longest ago, or an empty name.
std::string least_recently_used(const Engine& engine) {
  std::string oldest;
  TimePoint oldest_use = TimePoint::max();
  for (const auto& [name, instance] : engine.instances) {
    if (instance.kind != InstanceState::Kind::kLoading && instance.in_flight == 0 && instance.last_used < oldest_use) {
      oldest = name;
      oldest_use = instance.last_used;
    }
  }
  return oldest;
}

// What one slot offers for one candidate. Lower rank is better.
struct Offer {
  enum class Rank : std::uint8_t { kReady, kLoadable, kBusy, kFailed, kDrained, kNone };
  Rank rank = Rank::kNone;
  std::uint32_t in_flight = 0;
  Error error;
  std::string evicted;
};

Offer offer_of(const Slot& slot, const Candidate& candidate, const SchedulerLimits& limits) {
  const auto found = slot.engines.find(candidate.backend);
  if (found == slot.engines.end()) {
    return {};
  }
  const Engine& engine = found->second;
  if (!engine.usable) {
    return {Offer::Rank::kNone, 0, Error{Code::kBackendUnavailable, engine.why_not, {}}, {}};
  }
  if (slot.intake == Intake::kDrained) {
    return {Offer::Rank::kDrained, 0, {}, {}};
  }
  if (!slot.is_up || slot.intake == Intake::kHeld) {
    return {Offer::Rank::kBusy, engine.in_flight, {}, {}};
  }
  const auto instance = engine.instances.find(candidate.instance);
  if (instance != engine.instances.end()) {
    switch (instance->second.kind) {
      case InstanceState::Kind::kReady:
        return {engine.in_flight < limits.max_in_flight ? Offer::Rank::kReady : Offer::Rank::kBusy,
                engine.in_flight,
                {},
                {}};
      case InstanceState::Kind::kLoading:
        return {Offer::Rank::kBusy, engine.in_flight, {}, {}};
      case InstanceState::Kind::kFailed:
        return {Offer::Rank::kFailed, 0, instance->second.error, {}};
    }
  }
  if (engine.instances.size() >= limits.max_instances) {
    // Only into a free place in the engine: a graph loaded for later would be evicted again by the next in line.
    std::string evicted = engine.in_flight < limits.max_in_flight ? least_recently_used(engine) : "";
    return {evicted.empty() ? Offer::Rank::kBusy : Offer::Rank::kLoadable, engine.in_flight, {}, std::move(evicted)};
  }
  return {Offer::Rank::kLoadable, engine.in_flight, {}, {}};
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
    const auto placed = [&](Placement::Kind kind) {
      return Placement{kind, best_slot, candidate, best->evicted, skipped, {}};
    };
    switch (rank) {
      case Offer::Rank::kReady:
        return placed(Placement::Kind::kRun);
      case Offer::Rank::kLoadable:
        return placed(Placement::Kind::kLoad);
      case Offer::Rank::kBusy:
        return placed(Placement::Kind::kWait);
      case Offer::Rank::kFailed:
        last_error = best->error;
        break;
      case Offer::Rank::kDrained:
        if (last_error.code == Code::kBackendUnavailable) {
          last_error =
              job.worker ? Error{Code::kUnavailable,
                                 fmt::format("worker '{}' is drained: it takes no new work", best_slot), "shoal_worker"}
                         : Error{Code::kUnavailable,
                                 fmt::format("every worker with backend '{}' is drained: it takes no new work",
                                             backend_name(candidate.backend)),
                                 {}};
        }
        break;
      case Offer::Rank::kNone:
        if (last_error.code == Code::kBackendUnavailable) {
          const std::string why = best && !best->error.message.empty() ? ": " + best->error.message : "";
          last_error.message =
              fmt::format("backend '{}' is not available on {}{}", backend_name(candidate.backend),
                          job.worker ? "worker '" + *job.worker + "'" : "any worker of this pool", why);
          last_error.param = job.worker ? "shoal_worker" : "shoal_backend";
        }
        break;
    }
    skipped += (skipped.empty() ? "" : ",") + std::string(backend_name(candidate.backend));
  }
  return {Placement::Kind::kImpossible, {}, {}, {}, {}, last_error};
}

}  // namespace shoal::schedule
