// Where events go: into the ring that operators read, into the log, and to whoever counts them. Main lane; owned by the
// app, which outlives pool and dispatcher.
#pragma once

#include <functional>

#include "server/core/log.hpp"
#include "server/pool/event.hpp"

namespace shoal::pool {

class EventLog {
 public:
  using Observer = std::function<void(const Event&)>;

  // `capacity` > 0: how many events are kept.
  EventLog(std::size_t capacity, Log log, Observer observer = {});

  // Stamps it with the time of day.
  void record(Event event);
  [[nodiscard]] const EventRing& ring() const { return ring_; }

 private:
  EventRing ring_;
  Log log_;
  Observer observer_;
};

}  // namespace shoal::pool
