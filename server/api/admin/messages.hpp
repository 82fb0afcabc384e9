// The pool's and the scheduler's own values as messages of shoal.admin.v1. Pure.
#pragma once

#include <shoal/admin/v1/admin.pb.h>

#include "server/core/clock.hpp"
#include "server/pool/event.hpp"
#include "server/pool/slot_view.hpp"
#include "server/pool/start_gate.hpp"
#include "server/schedule/placement.hpp"
#include "server/schedule/quarantine.hpp"

namespace shoal::api::admin {

// "2026-11-21T16:42:01.123Z"
std::string rfc3339(std::int64_t unix_ms);
// `scheduled` is the same slot as the scheduler knows it; nullptr when it does not.
shoal::admin::v1::Worker worker_message(const pool::SlotView& view, const schedule::Slot* scheduled, TimePoint now);
shoal::admin::v1::Breaker breaker_message(const pool::BreakerView& view);
shoal::admin::v1::Poison poison_message(const schedule::Suspect& suspect, Duration expires_in);
shoal::admin::v1::Event event_message(const pool::Event& event);
shoal::admin::v1::ListEventsResponse events_message(const pool::EventRing& ring, std::uint64_t after,
                                                    std::size_t limit);

}  // namespace shoal::api::admin
