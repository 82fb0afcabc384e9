#include "server/app/fleet_state.hpp"

#include <chrono>
#include <utility>

namespace shoal::app {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

metrics::FleetState fleet_state(const pool::Pool& pool, const dispatch::Dispatcher& dispatcher) {
  metrics::FleetState state;
  for (const pool::SlotView& view : pool.snapshot()) {
    metrics::FleetState::Worker worker{.slot = view.slot,
                                       .kind = view.kind,
                                       .state = std::string(pool::slot_state_name(view.state)),
                                       .backends = {},
                                       .restarts = view.restarts};
    if (view.worker) {
      worker.memory_bytes = view.worker->memory_bytes;
      worker.wasm_bytes = view.wasm_bytes;
      worker.gpu_bytes = view.gpu_bytes;
      worker.cache_bytes = view.cache_bytes;
      worker.heartbeat_age_seconds = seconds(Clock::now() - view.last_message.value_or(Clock::now()));
      for (const Backend backend : view.worker->backends) {
        worker.backends.emplace_back(backend_name(backend));
      }
    }
    state.workers.push_back(std::move(worker));
  }
  state.quarantined_requests = dispatcher.quarantine().list(Clock::now()).size();
  for (const pool::BreakerView& view : pool.breakers()) {
    state.breakers.push_back({.browser = view.key.browser,
                              .adapter = view.key.adapter,
                              .state = static_cast<int>(view.state),
                              .opened = view.opened});
  }
  for (const pool::GroupView& view : pool.groups()) {
    metrics::FleetState::Scale& scale = state.scales[view.kind];
    scale.wanted += view.wanted;
    scale.ups += view.ups;
    scale.downs += view.downs;
    scale.takeovers += view.takeovers;
  }
  state.memory_bytes = pool.memory().total_bytes();
  state.memory_limit_bytes = pool.memory().total_limit();
  state.websocket_sent_bytes = pool.traffic().sent_bytes;
  state.websocket_received_bytes = pool.traffic().received_bytes;
  return state;
}

void count_event(const pool::Event& event, metrics::Families& metrics) {
  if (event.launched_in) {
    metrics.worker_launched(event.slot.substr(0, event.slot.find('/')), seconds(*event.launched_in));
  }
  if (event.outage) {
    metrics.worker_recovered(event.rung, pool::loss_name(event.loss), seconds(*event.outage));
  }
}

}  // namespace shoal::app
