// Which graphs a browser loads before anybody asks. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "server/dispatch/candidates.hpp"
#include "server/models/model.hpp"
#include "server/schedule/placement.hpp"

namespace shoal::dispatch {

enum class WarmUp : std::uint8_t { kNone, kDefault, kAll };

// What decides on it beside the slots.
struct WarmUpRules {
  WarmUp policy = WarmUp::kAll;
  std::size_t max_instances = 8;  // graphs per engine
  // The backends to try for a model. None: its own order.
  std::function<Order(const models::ModelVersion&)> order = {};
  // How much a model is asked for of late. None: all alike.
  std::function<double(const models::ModelVersion&)> demand = {};
};

struct WarmUpQueue {
  std::vector<Way> defaults;
  std::vector<Way> others;  // once no model waits for its default any more: cores are few
  std::string loading;      // the instance under way, one at a time; empty: none
};

// The ways to load on `slot`, whatever is kept first, then what is asked for most, then by name. A model's default is
// its first preference that any slot of the pool can use; where that is a guess that does not hold here, the slot's
// own. Never more than fit beside each other.
WarmUpQueue warm_up_of(const models::Snapshot& models, const schedule::Slots& slots, const std::string& slot,
                       const WarmUpRules& rules);

// Whether each model's default is loaded somewhere or has failed, or will not be loaded ahead of a request.
bool defaults_settled(const models::Snapshot& models, const schedule::Slots& slots, const WarmUpRules& rules);

// Whether a model's default is loaded somewhere; kUnavailable with the reason when not, the graph's own error when it
// could not be built. A default that found the browsers full counts as ready: its first request makes room. Where the
// default is a guess, the graph that answers in its place will do.
Status default_ready(const models::ModelVersion& model, const schedule::Slots& slots, const WarmUpRules& rules);

// Whether every worker that could run it is drained.
bool is_drained(const models::ModelVersion& model, const schedule::Slots& slots, const WarmUpRules& rules);

}  // namespace shoal::dispatch
