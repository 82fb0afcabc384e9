// Which graphs a slot has room for, and which ones go for others. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/schedule/placement.hpp"

namespace shoal::schedule {

// What all graphs in it take, by their weights or by the agent's word.
std::uint64_t resident_bytes(const Slot& slot);
// What must go so that the slot keeps to its budget, oldest use first; what is busy or kept stays.
std::vector<Candidate> surplus(const Slot& slot);
// Whether the slot's budget has room for it beside what is there; whether it would have beside what is kept.
bool fits_beside(const Slot& slot, const Candidate& candidate);
bool fits_alone(const Slot& slot, const Candidate& candidate);
// Whether every place for graphs in the engine has one that is kept.
bool is_full_of_kept(const Engine& engine, std::size_t max_instances);
Error too_big(const Candidate& candidate, const Slot& slot, std::size_t max_instances);  // kResourceLimit

// What must go from the slot for the candidate, oldest use first; nothing when what is in the way is busy or kept.
std::optional<std::vector<Candidate>> room_for(const Slot& slot, const Candidate& candidate, std::size_t max_instances);

// Slots that have the graph, or load it, and serve it.
std::size_t workers_with(const Slots& slots, const Candidate& candidate);

}  // namespace shoal::schedule
