#include "server/api/admin/messages.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "server/schedule/residency.hpp"

namespace shoal::api::admin {
namespace {

namespace v1 = shoal::admin::v1;

std::uint64_t whole_ms(Duration duration) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

std::string_view instance_state_name(schedule::InstanceState::Kind kind) {
  switch (kind) {
    case schedule::InstanceState::Kind::kLoading:
      return "loading";
    case schedule::InstanceState::Kind::kReady:
      return "loaded";
    case schedule::InstanceState::Kind::kFailed:
      break;
  }
  return "failed";
}

}  // namespace

std::string rfc3339(std::int64_t unix_ms) {
  const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), unix_ms % 1000);
}

namespace {

void fill_instances(const schedule::Slot& slot, v1::Worker& worker) {
  for (const auto& [backend, engine] : slot.engines) {
    for (const auto& [name, state] : engine.instances) {
      v1::Instance& instance = *worker.add_instances();
      instance.set_name(name);
      instance.set_backend(std::string(backend_name(backend)));
      instance.set_state(std::string(instance_state_name(state.kind)));
      instance.set_in_flight(state.in_flight);
      instance.set_error(state.error.message);
      instance.set_kept(state.is_kept);
      instance.set_load_ms(milliseconds(engine.loads.expected(name, state.bytes).value_or(Duration())));
      const auto cost = engine.costs.find(name);
      instance.set_run_ms(cost == engine.costs.end() ? 0 : milliseconds(cost->second.mean()));
    }
  }
}

}  // namespace

v1::Worker worker_message(const pool::SlotView& view, const schedule::Slot* scheduled, TimePoint now) {
  v1::Worker worker;
  worker.set_slot(view.slot);
  worker.set_kind(view.kind);
  worker.set_state(std::string(pool::slot_state_name(view.state)));
  worker.set_reason(view.reason);
  worker.set_restarts(view.restarts);
  worker.set_pending_work(view.pending_work);
  if (scheduled != nullptr) {
    worker.set_takes_work(scheduled->is_up && scheduled->intake == schedule::Intake::kOpen &&
                          scheduled->duty == schedule::Duty::kServing);
    worker.set_budget_bytes(scheduled->memory_budget);
    worker.set_resident_bytes(schedule::resident_bytes(*scheduled));
    fill_instances(*scheduled, worker);
  }
  if (!view.worker) {
    return worker;
  }
  for (const Backend backend : view.worker->backends) {
    worker.add_backends(std::string(backend_name(backend)));
  }
  for (const auto& [backend, reason] : view.worker->why_not) {
    (*worker.mutable_why_not())[std::string(backend_name(backend))] = reason;
  }
  for (const Backend backend : schedule::prior_of(view.worker->traits)) {
    if (std::ranges::find(view.worker->backends, backend) != view.worker->backends.end()) {
      worker.add_guessed_order(std::string(backend_name(backend)));
    }
  }
  for (const Family family : kFamilies) {
    if (schedule::is_favourite(family, view.worker->traits.browser)) {
      worker.add_favours(std::string(family_name(family)));
    }
  }
  worker.set_adapter(view.worker->adapter);
  worker.set_tier(std::string(tier_name(view.worker->tier)));
  worker.set_browser(view.version);
  worker.set_user_agent(view.worker->browser);
  v1::Memory& memory = *worker.mutable_memory();
  memory.set_pss_bytes(view.worker->memory_bytes);
  memory.set_wasm_bytes(view.wasm_bytes);
  memory.set_gpu_bytes(view.gpu_bytes);
  memory.set_cache_bytes(view.cache_bytes);
  if (view.last_message) {
    worker.set_heartbeat_age_ms(whole_ms(now - *view.last_message));
  }
  return worker;
}

v1::Breaker breaker_message(const pool::BreakerView& view) {
  v1::Breaker message;
  message.set_browser(view.key.browser);
  message.set_adapter(view.key.adapter);
  message.set_state(std::string(pool::breaker_state_name(view.state)));
  message.set_reason(view.reason);
  message.set_opened(view.opened);
  message.set_failures(view.failures);
  message.set_waiting(view.waiting);
  message.set_retry_in_ms(whole_ms(view.retry_in));
  return message;
}

v1::Poison poison_message(const schedule::Suspect& suspect, Duration expires_in) {
  v1::Poison message;
  message.set_fingerprint(suspect.fingerprint);
  message.set_model(suspect.model);
  message.set_version(suspect.version);
  message.set_losses(suspect.losses);
  message.set_refused(suspect.refused);
  message.set_reason(suspect.reason);
  message.set_last_slot(suspect.last_slot);
  message.set_expires_in_ms(whole_ms(expires_in));
  return message;
}

v1::Event event_message(const pool::Event& event) {
  v1::Event message;
  message.set_sequence(event.sequence);
  message.set_time(rfc3339(event.unix_ms));
  message.set_slot(event.slot);
  message.set_instance(event.instance);
  message.set_from(event.from);
  message.set_to(event.to);
  message.set_reason(event.reason);
  message.set_loss(std::string(pool::loss_name(event.loss)));
  message.set_rung(event.rung);
  message.set_breaker(event.breaker);
  if (event.launched_in) {
    message.set_launch_ms(whole_ms(*event.launched_in));
  }
  if (event.outage) {
    message.set_outage_ms(whole_ms(*event.outage));
  }
  return message;
}

v1::ListEventsResponse events_message(const pool::EventRing& ring, std::uint64_t after, std::size_t limit) {
  v1::ListEventsResponse response;
  for (const pool::Event& event : ring.after(after, limit)) {
    *response.add_events() = event_message(event);
  }
  response.set_last_sequence(ring.last_sequence());
  const std::uint64_t first = ring.first_sequence();
  response.set_lost(after + 1 < first ? first - after - 1 : 0);
  return response;
}

}  // namespace shoal::api::admin
