#include "server/schedule/offer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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

Offer what_it_offers(const Slot& slot, const Candidate& candidate, bool is_alone, const SchedulerLimits& limits) {
  const auto found = slot.engines.find(candidate.backend);
  if (found == slot.engines.end()) {
    return {};
  }
  const Engine& engine = found->second;
  const std::uint32_t in_flight = limits.balances_load ? engine.in_flight : 0;
  if (!engine.usable) {
    return {Offer::Rank::kNone, 0, Error{Code::kBackendUnavailable, engine.why_not, {}}, {}};
  }
  if (slot.intake == Intake::kDrained) {
    return {Offer::Rank::kDrained, 0, {}, {}};
  }
  const bool is_taken = slot.is_reserved || (is_alone && in_flight_of(slot) > 0);
  if (!slot.is_up || slot.intake == Intake::kHeld || slot.duty != Duty::kServing || is_taken) {
    return {Offer::Rank::kBusy, in_flight, {}, {}};
  }
  const auto instance = engine.instances.find(candidate.instance);
  if (instance != engine.instances.end()) {
    switch (instance->second.kind) {
      case InstanceState::Kind::kReady: {
        if (engine.in_flight >= limits.max_in_flight) {
          return {Offer::Rank::kBusy, in_flight, {}, {}};
        }
        const auto cost = engine.costs.find(candidate.instance);
        const bool is_measured = limits.balances_load && cost != engine.costs.end();
        return {Offer::Rank::kReady, in_flight, {}, {}, is_measured ? &cost->second : nullptr};
      }
      case InstanceState::Kind::kLoading:
        return {Offer::Rank::kBusy, in_flight, {}, {}};
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
      return {Offer::Rank::kBusy, in_flight, {}, {}};
    }
    const bool counts = oldest->second.kind == InstanceState::Kind::kReady;
    evicted.push_back({candidate.backend, oldest->first, counts ? oldest->second.bytes : 0});
  }
  if (!make_room(slot, candidate, evicted)) {
    return {Offer::Rank::kBusy, in_flight, {}, {}};
  }
  // Only into a free place in the engine: a graph loaded for later would be evicted again by the next in line.
  if (!evicted.empty() && engine.in_flight >= limits.max_in_flight) {
    return {Offer::Rank::kBusy, in_flight, {}, {}};
  }
  return {Offer::Rank::kLoadable, in_flight, {}, std::move(evicted)};
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

Offer offer_of(const Slot& slot, const Candidate& candidate, bool is_alone, const SchedulerLimits& limits) {
  Offer offer = what_it_offers(slot, candidate, is_alone, limits);
  offer.tier = slot.tier;
  return offer;
}

double units_for(const Job& job, const Candidate& candidate) { return candidate.rows > 0 ? 1 : units_of(job); }

std::optional<Choice> first_to_end(const std::map<std::string, Offer>& ready, double units, Tier min_tier) {
  const auto seconds_of = [units](const Cost& cost) {
    return std::chrono::duration<double>(*cost.expected(units)).count();
  };
  double measured = 0;
  double total = 0;
  for (const auto& [name, offer] : ready) {
    if (offer.cost != nullptr && offer.tier >= min_tier) {
      ++measured;
      total += seconds_of(*offer.cost);
    }
  }
  const double usual = measured > 0 ? total / measured : 1;
  const std::pair<const std::string, Offer>* first = nullptr;
  double soonest = 0;
  for (const auto& entry : ready) {
    const Offer& offer = entry.second;
    const double seconds = (offer.in_flight + 1) * (offer.cost == nullptr ? usual : seconds_of(*offer.cost));
    if (offer.tier >= min_tier && (first == nullptr || seconds < soonest)) {
      first = &entry;
      soonest = seconds;
    }
  }
  if (first == nullptr) {
    return std::nullopt;
  }
  return Choice{first->second, first->first, measured > 0 ? std::optional(soonest) : std::nullopt};
}

std::optional<Choice> choose(const Slots& slots, const Job& job, const Candidate& candidate,
                             const SchedulerLimits& limits) {
  std::optional<Choice> best;
  std::map<std::string, Offer> ready;
  for (const auto& [name, slot] : slots) {
    if ((job.worker && *job.worker != name) || slot.tier < job.min_tier) {
      continue;
    }
    Offer offer = offer_of(slot, candidate, job.is_alone, limits);
    if (offer.rank == Offer::Rank::kReady) {
      ready.emplace(name, std::move(offer));
    } else if (!best || std::pair(offer.rank, offer.in_flight) < std::pair(best->offer.rank, best->offer.in_flight)) {
      best = Choice{std::move(offer), name, {}};
    }
  }
  auto first = first_to_end(ready, units_for(job, candidate), job.min_tier);
  return first ? std::move(first) : std::move(best);
}

}  // namespace shoal::schedule
