// Which graphs a browser loads before anybody asks. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/dispatch/candidates.hpp"
#include "server/models/model.hpp"
#include "server/schedule/placement.hpp"

namespace shoal::dispatch {

enum class WarmUp : std::uint8_t { kNone, kDefault, kAll };

// The ways to load on `slot`, defaults of all models first. A model's default is its first preference that any slot of
// the pool can use. Never more than fit beside each other (`max_instances` per engine).
std::vector<Way> warm_up_of(const models::Snapshot& models, const schedule::Slots& slots, const std::string& slot,
                            WarmUp policy, std::size_t max_instances);

// Whether a model's default is loaded somewhere; kUnavailable with the reason when not, the graph's own error when it
// could not be built.
Status default_ready(const models::ModelVersion& model, const schedule::Slots& slots, WarmUp policy);

}  // namespace shoal::dispatch
