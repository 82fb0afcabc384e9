// The pool as the metrics page shows it. Main lane.
#pragma once

#include "server/dispatch/dispatcher.hpp"
#include "server/metrics/families.hpp"
#include "server/pool/pool.hpp"

namespace shoal::app {

metrics::FleetState fleet_state(const pool::Pool& pool, const dispatch::Dispatcher& dispatcher);

}  // namespace shoal::app
