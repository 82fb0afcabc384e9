#include "server/schedule/residency.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace shoal::schedule {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

// The idle instance that was used longest ago and is neither kept nor spared, in `engine`.
const std::pair<const std::string, InstanceState>* least_recently_used(const Engine& engine,
                                                                       const std::vector<Candidate>& spared) {
  const std::pair<const std::string, InstanceState>* oldest = nullptr;
  for (const auto& entry : engine.instances) {
    const bool is_spared = std::ranges::find(spared, entry.first, &Candidate::instance) != spared.end();
    if (entry.second.kind != InstanceState::Kind::kLoading && entry.second.in_flight == 0 && !is_spared &&
        !entry.second.is_kept && (oldest == nullptr || entry.second.last_used < oldest->second.last_used)) {
      oldest = &entry;
    }
  }
  return oldest;
}

// What must go so that `candidate` fits into the slot's budget beside what stays, oldest use first; false when what is
// in the way stays.
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

std::uint64_t kept_bytes(const Slot& slot) {
  std::uint64_t bytes = 0;
  for (const auto& [backend, engine] : slot.engines) {
    for (const auto& [name, instance] : engine.instances) {
      bytes += instance.is_kept ? instance.bytes : 0;
    }
  }
  return bytes;
}

}  // namespace

std::uint64_t resident_bytes(const Slot& slot) {
  std::uint64_t bytes = 0;
  for (const auto& [backend, engine] : slot.engines) {
    for (const auto& [name, instance] : engine.instances) {
      bytes += instance.kind == InstanceState::Kind::kFailed ? 0 : instance.bytes;
    }
  }
  return bytes;
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
  return slot.memory_budget == 0 || candidate.bytes + kept_bytes(slot) <= slot.memory_budget;
}

bool is_full_of_kept(const Engine& engine, std::size_t max_instances) {
  const auto kept = std::ranges::count_if(engine.instances, [](const auto& entry) { return entry.second.is_kept; });
  return static_cast<std::size_t>(kept) >= max_instances;
}

Error too_big(const Candidate& candidate, const Slot& slot, std::size_t max_instances) {
  const std::uint64_t kept = kept_bytes(slot) / kMiB;
  if (kept == 0 && candidate.bytes <= slot.memory_budget) {
    return {Code::kResourceLimit,
            fmt::format("all {} places for graphs in a browser (schedule.max_instances) have one that is kept "
                        "(shoal_pinned, shoal_min_resident)",
                        max_instances),
            {}};
  }
  const std::string beside =
      kept == 0 ? "" : fmt::format(", of which {} MiB are kept for others (shoal_pinned, shoal_min_resident)", kept);
  return {Code::kResourceLimit,
          fmt::format("its weights take {} MiB, a browser's graphs may take {} MiB (pool.memory_budget){}",
                      candidate.bytes / kMiB, slot.memory_budget / kMiB, beside),
          {}};
}

std::optional<std::vector<Candidate>> room_for(const Slot& slot, const Candidate& candidate,
                                               std::size_t max_instances) {
  std::vector<Candidate> evicted;
  const auto engine = slot.engines.find(candidate.backend);
  if (engine != slot.engines.end() && engine->second.instances.size() >= max_instances) {
    const auto* oldest = least_recently_used(engine->second, evicted);
    if (oldest == nullptr) {
      return std::nullopt;
    }
    const bool counts = oldest->second.kind == InstanceState::Kind::kReady;
    evicted.push_back({candidate.backend, oldest->first, counts ? oldest->second.bytes : 0});
  }
  if (!make_room(slot, candidate, evicted)) {
    return std::nullopt;
  }
  return evicted;
}

std::size_t workers_with(const Slots& slots, const Candidate& candidate) {
  return static_cast<std::size_t>(std::ranges::count_if(slots, [&](const auto& entry) {
    const Slot& slot = entry.second;
    const auto engine = slot.engines.find(candidate.backend);
    if (engine == slot.engines.end() || !slot.is_up || !takes_work(slot)) {
      return false;
    }
    const auto instance = engine->second.instances.find(candidate.instance);
    return instance != engine->second.instances.end() && instance->second.kind != InstanceState::Kind::kFailed;
  }));
}

}  // namespace shoal::schedule
