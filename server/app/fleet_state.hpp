// The pool as the metrics page shows it. Main lane.
#pragma once

#include "server/dispatch/dispatcher.hpp"
#include "server/metrics/families.hpp"
#include "server/pool/pool.hpp"

namespace shoal::app {

metrics::FleetState fleet_state(const pool::Pool& pool, const dispatch::Dispatcher& dispatcher);

// What an event of the pool adds to the counters: launches, and outages by what mended them.
void count_event(const pool::Event& event, metrics::Families& metrics);

}  // namespace shoal::app
