#include "server/schedule/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace shoal::schedule {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

// The idle instance that was used longest ago and is not spared, in `engine`.
const std::pair<const std::string, InstanceState>* least_recently_used(const Engine& engine,
                                                                       const std::vector<Candidate>& spared) {
  const std::pair<const std::string, InstanceState>* oldest = nullptr;
  for (const auto& entry : engine.instances) {
    const bool is_spared = std::ranges::find(spared, entry.first, &Candidate::instance) != spared.end();
    if (entry.second.kind != InstanceState::Kind::kLoading && entry.second.in_flight == 0 && !is_spared &&
        (oldest == nullptr || entry.second.last_used < oldest->second.last_used)) {
      oldest = &entry;
    }
  }
  return oldest;
}

// What must go so that `candidate` fits into the slot's budget beside what stays, oldest use first; false when what is
// in the way is busy.
bool make_room(const Slot& slot, const Candidate& candidate, std::vector<Candidate>& evicted) {
  std::uint64_t taken = resident_bytes(slot);
  for (const Candidate& gone : evicted) {
    taken -= gone.bytes;
  }
  while (slot.memory_budget > 0 && taken + candidate.bytes > slot.memory_budget) {
    Candidate oldest;
    TimePoint oldest_use = TimePoint::max();
    for (const auto& [backend, engine] : slot.engines) {
      const auto* entry = least_recently_used(engine, evicted);
      if (entry != nullptr && entry->second.bytes > 0 && entry->second.kind == InstanceState::Kind::kReady &&
          entry->second.last_used < oldest_use) {
        oldest = {backend, entry->first, entry->second.bytes};
        oldest_use = entry->second.last_used;
      }
    }
    if (oldest.instance.empty()) {
      return false;
    }
    taken -= oldest.bytes;
    evicted.push_back(std::move(oldest));
  }
  return true;
}

// What one slot offers for one candidate. Lower rank is better.
struct Offer {
  enum class Rank : std::uint8_t { kReady, kLoadable, kBusy, kFailed, kDrained, kNone };
  Rank rank = Rank::kNone;
  std::uint32_t in_flight = 0;
  Error error;
  std::vector<Candidate> evicted;
  const Cost* cost = nullptr;  // of kReady: of runs of the graph there, where there were any
};

Offer offer_of(const Slot& slot, const Candidate& candidate, bool is_alone, const SchedulerLimits& limits) {
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
  const bool is_taken = slot.is_reserved || (is_alone && in_flight_of(slot) > 0);
  if (!slot.is_up || slot.intake == Intake::kHeld || slot.duty != Duty::kServing || is_taken) {
    return {Offer::Rank::kBusy, engine.in_flight, {}, {}};
  }
  const auto instance = engine.instances.find(candidate.instance);
  if (instance != engine.instances.end()) {
    switch (instance->second.kind) {
      case InstanceState::Kind::kReady: {
        if (engine.in_flight >= limits.max_in_flight) {
          return {Offer::Rank::kBusy, engine.in_flight, {}, {}};
        }
        const auto cost = engine.costs.find(candidate.instance);
        return {Offer::Rank::kReady, engine.in_flight, {}, {}, cost == engine.costs.end() ? nullptr : &cost->second};
      }
      case InstanceState::Kind::kLoading:
        return {Offer::Rank::kBusy, engine.in_flight, {}, {}};
      case InstanceState::Kind::kFailed:
        return {Offer::Rank::kFailed, 0, instance->second.error, {}};
    }
  }
  if (!fits_alone(slot, candidate)) {
    return {Offer::Rank::kFailed, 0, too_big(candidate, slot.memory_budget), {}};
  }
  std::vector<Candidate> evicted;
  if (engine.instances.size() >= limits.max_instances) {
    const auto* oldest = least_recently_used(engine, evicted);
    if (oldest == nullptr) {
      return {Offer::Rank::kBusy, engine.in_flight, {}, {}};
    }
    const bool counts = oldest->second.kind == InstanceState::Kind::kReady;
    evicted.push_back({candidate.backend, oldest->first, counts ? oldest->second.bytes : 0});
  }
  if (!make_room(slot, candidate, evicted)) {
    return {Offer::Rank::kBusy, engine.in_flight, {}, {}};
  }
  // Only into a free place in the engine: a graph loaded for later would be evicted again by the next in line.
  if (!evicted.empty() && engine.in_flight >= limits.max_in_flight) {
    return {Offer::Rank::kBusy, engine.in_flight, {}, {}};
  }
  return {Offer::Rank::kLoadable, engine.in_flight, {}, std::move(evicted)};
}

// Of one candidate on all slots: where it would end first.
struct Choice {
  Offer offer;
  std::string slot;
  std::optional<double> seconds;  // until it ends there, where that is measured

  [[nodiscard]] bool is_ready() const { return offer.rank == Offer::Rank::kReady; }
};

// A worker that nobody has measured is expected to be like the others.
double seconds_of(const Offer& offer, double units, double usual) {
  const auto time = offer.cost == nullptr ? std::nullopt : offer.cost->expected(units);
  return (offer.in_flight + 1) * (time ? std::chrono::duration<double>(*time).count() : usual);
}

std::optional<Choice> choose(const Slots& slots, const Job& job, const Candidate& candidate,
                             const SchedulerLimits& limits) {
  const double units = candidate.rows > 0 ? 1 : units_of(job);
  double measured = 0;
  double total = 0;
  std::optional<Choice> best;
  std::vector<Choice> ready;
  for (const auto& [name, slot] : slots) {
    if ((job.worker && *job.worker != name) || slot.tier < job.min_tier) {
      continue;
    }
    Offer offer = offer_of(slot, candidate, job.is_alone, limits);
    if (!limits.balances_load) {
      offer.in_flight = 0;
      offer.cost = nullptr;
    }
    if (offer.cost != nullptr) {
      ++measured;
      total += std::chrono::duration<double>(*offer.cost->expected(units)).count();
    }
    if (offer.rank == Offer::Rank::kReady) {
      ready.push_back({std::move(offer), name, {}});
    } else if (!best || std::pair(offer.rank, offer.in_flight) < std::pair(best->offer.rank, best->offer.in_flight)) {
      best = Choice{std::move(offer), name, {}};
    }
  }
  if (ready.empty()) {
    return best;
  }
  const double usual = measured > 0 ? total / measured : 1;
  for (Choice& choice : ready) {
    choice.seconds = seconds_of(choice.offer, units, usual);
  }
  Choice& first = *std::ranges::min_element(ready, {}, [](const Choice& choice) { return *choice.seconds; });
  if (measured == 0) {
    first.seconds.reset();
  }
  return std::move(first);
}

// The demanded worker can be gone for good, or be one that this job must not reach.
Status check_worker(const Slots& slots, const Job& job) {
  const auto found = slots.find(*job.worker);
  if (found == slots.end()) {
    return fail(Code::kUnavailable, fmt::format("worker '{}' has left", *job.worker), "shoal_worker");
  }
  if (found->second.tier < job.min_tier) {
    return fail(Code::kUnavailable,
                fmt::format("worker '{}' is {}, and this request goes to {} workers only", *job.worker,
                            tier_name(found->second.tier), tier_name(job.min_tier)),
                "shoal_trust");
  }
  return {};
}

// Of a backend that is nowhere: "any worker", or "any trusted worker" where others have it.
std::string where(const Slots& slots, const Job& job, Backend backend) {
  const bool is_elsewhere = std::ranges::any_of(slots, [&](const auto& entry) {
    const auto engine = entry.second.engines.find(backend);
    return entry.second.tier < job.min_tier && engine != entry.second.engines.end() && engine->second.usable;
  });
  return is_elsewhere ? fmt::format("any {} worker of this pool", tier_name(job.min_tier)) : "any worker of this pool";
}

// A later candidate that is loaded and free where it is measured to end well before `seconds`.
std::optional<Placement> faster_than(double seconds, const Slots& slots, const Job& job, const Candidate& preferred,
                                     const SchedulerLimits& limits) {
  // So that two that are alike do not take turns.
  constexpr double kMargin = 0.8;
  std::optional<Placement> faster;
  double best = seconds * kMargin;
  std::string skipped;
  for (const Candidate& candidate : job.candidates) {
    const auto choice = choose(slots, job, candidate, limits);
    if (&candidate > &preferred && choice && choice->is_ready() && choice->seconds && *choice->seconds < best) {
      best = *choice->seconds;
      faster = Placement{Placement::Kind::kRun, choice->slot, candidate, {}, skipped, {}};
    }
    skipped += (skipped.empty() ? "" : ",") + std::string(backend_name(candidate.backend));
  }
  return faster;
}

}  // namespace

bool takes_work(const Slot& slot) { return slot.intake == Intake::kOpen && slot.duty != Duty::kSpare; }

double units_of(const Job& job) { return job.rows * static_cast<double>(std::max(job.length, 1U)); }

std::uint64_t resident_bytes(const Slot& slot) {
  std::uint64_t bytes = 0;
  for (const auto& [backend, engine] : slot.engines) {
    for (const auto& [name, instance] : engine.instances) {
      bytes += instance.kind == InstanceState::Kind::kFailed ? 0 : instance.bytes;
    }
  }
  return bytes;
}

std::uint32_t in_flight_of(const Slot& slot) {
  std::uint32_t total = 0;
  for (const auto& [backend, engine] : slot.engines) {
    total += engine.in_flight;
  }
  return total;
}

std::vector<Candidate> surplus(const Slot& slot) {
  std::vector<Candidate> evicted;
  make_room(slot, {}, evicted);
  return evicted;
}

bool fits_beside(const Slot& slot, const Candidate& candidate) {
  return slot.memory_budget == 0 || resident_bytes(slot) + candidate.bytes <= slot.memory_budget;
}

bool fits_alone(const Slot& slot, const Candidate& candidate) {
  return slot.memory_budget == 0 || candidate.bytes <= slot.memory_budget;
}

Error too_big(const Candidate& candidate, std::uint64_t memory_budget) {
  return {Code::kResourceLimit,
          fmt::format("its weights take {} MiB, a browser's graphs may take {} MiB (pool.memory_budget)",
                      candidate.bytes / kMiB, memory_budget / kMiB),
          {}};
}

Placement place(const Slots& slots, const Job& job, const SchedulerLimits& limits) {
  if (job.worker) {
    if (Status status = check_worker(slots, job); !status) {
      return {Placement::Kind::kImpossible, {}, {}, {}, {}, std::move(status.error())};
    }
  }
  std::string skipped;
  Error last_error{Code::kBackendUnavailable, "", {}};
  for (const Candidate& candidate : job.candidates) {
    const std::optional<Choice> best = choose(slots, job, candidate, limits);
    const Offer::Rank rank = best ? best->offer.rank : Offer::Rank::kNone;
    const auto placed = [&](Placement::Kind kind) {
      return Placement{kind, best->slot, candidate, best->offer.evicted, skipped, {}};
    };
    switch (rank) {
      case Offer::Rank::kReady:
        if (limits.prefers_measured && best->seconds) {
          if (auto faster = faster_than(*best->seconds, slots, job, candidate, limits)) {
            return *std::move(faster);
          }
        }
        return placed(Placement::Kind::kRun);
      case Offer::Rank::kLoadable:
        return placed(Placement::Kind::kLoad);
      case Offer::Rank::kBusy:
        return placed(Placement::Kind::kWait);
      case Offer::Rank::kFailed:
        last_error = best->offer.error;
        break;
      case Offer::Rank::kDrained:
        if (last_error.code == Code::kBackendUnavailable) {
          last_error = job.worker ? Error{Code::kUnavailable,
                                          fmt::format("worker '{}' is drained: it takes no new work", best->slot),
                                          "shoal_worker"}
                                  : Error{Code::kUnavailable,
                                          fmt::format("every worker with backend '{}' is drained: it takes no new work",
                                                      backend_name(candidate.backend)),
                                          {}};
        }
        break;
      case Offer::Rank::kNone:
        if (last_error.code == Code::kBackendUnavailable) {
          const std::string why = best && !best->offer.error.message.empty() ? ": " + best->offer.error.message : "";
          last_error.message =
              fmt::format("backend '{}' is not available on {}{}", backend_name(candidate.backend),
                          job.worker ? "worker '" + *job.worker + "'" : where(slots, job, candidate.backend), why);
          last_error.param = job.worker ? "shoal_worker" : "shoal_backend";
        }
        break;
    }
    skipped += (skipped.empty() ? "" : ",") + std::string(backend_name(candidate.backend));
  }
  return {Placement::Kind::kImpossible, {}, {}, {}, {}, last_error};
}

}  // namespace shoal::schedule
