// Which graphs workers keep, and whether all that is pinned fits. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "server/dispatch/candidates.hpp"
#include "server/models/model.hpp"
#include "server/schedule/placement.hpp"

namespace shoal::dispatch {

// For Scheduler::keep(): what the names of the graphs begin with, and how many workers keep them.
std::map<std::string, std::uint32_t> keepers_of(const models::Snapshot& models);

// Whether the pinned models fit into one worker together: all served ones that come before `model` by name, and itself;
// of one that is not served yet, all of them. kResourceLimit when not. `max_instances` graphs per engine.
Status pinned_fit(const models::ModelVersion& model, const models::Snapshot& served, const schedule::Slots& slots,
                  std::size_t max_instances);

}  // namespace shoal::dispatch
