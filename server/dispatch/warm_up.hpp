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

struct WarmUpQueue {
  std::vector<Way> defaults;
  std::vector<Way> others;  // once no model waits for its default any more: cores are few
  std::string loading;      // the instance under way, one at a time; empty: none
};

// The ways to load on `slot`. A model's default is its first preference that any slot of the pool can use. Never more
// than fit beside each other (`max_instances` per engine).
WarmUpQueue warm_up_of(const models::Snapshot& models, const schedule::Slots& slots, const std::string& slot,
                       WarmUp policy, std::size_t max_instances);

// Whether each model's default is loaded somewhere or has failed, or will not be loaded ahead of a request.
bool defaults_settled(const models::Snapshot& models, const schedule::Slots& slots, std::size_t max_instances);

// Whether a model's default is loaded somewhere; kUnavailable with the reason when not, the graph's own error when it
// could not be built. A default that found the browsers full counts as ready: its first request makes room.
Status default_ready(const models::ModelVersion& model, const schedule::Slots& slots, WarmUp policy,
                     std::size_t max_instances);

// Whether every worker that could run it is drained.
bool is_drained(const models::ModelVersion& model, const schedule::Slots& slots);

}  // namespace shoal::dispatch
