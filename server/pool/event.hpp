// A change of state of a slot or of an instance in it, and the ring that keeps the last of them. Pure: the recorder
// (pool/event_log.hpp) gives the time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/clock.hpp"

namespace shoal::pool {

// Why a browser went, as a closed list: metric labels are made of it. The words are in Event::reason.
enum class Loss : std::uint8_t {
  kNone,
  kCrashed,      // its connection ended by itself
  kHung,         // the watchdog's verdict
  kMemory,       // its processes took far more than they may
  kProtocol,     // it broke the agent's protocol
  kBroken,       // its connection broke; its browser lived
  kLeft,         // its agent said goodbye
  kDriver,       // the driver ended
  kLaunch,       // driver, browser or page could not be brought up
  kSilent,       // launched, but its page never said hello
  kMismatch,     // protocol or build are not ours
  kRecycled,     // replaced on purpose
  kClosing,      // the pool closes
  kQuarantined,  // a device gave a wrong result
  kRetired,      // it is not wanted any more
};
std::string_view loss_name(Loss loss);  // "crashed", ...; empty of kNone

// What an agent's connection that ended by itself says of the loss: kProtocol and kLeft by the session's own words,
// else kCrashed.
Loss loss_of(std::string_view reason);

struct Event {
  std::uint64_t sequence = 0;  // 1, 2, ...: given by the ring
  std::int64_t unix_ms = 0;    // given by the recorder
  std::string slot;            // "<kind>/<n>"; empty: of `breaker`
  std::string instance = {};   // of a loaded graph; empty: of the slot itself
  std::string from = {};       // empty: the first state
  std::string to = {};         // a slot_state_name(), breaker_state_name(), "loaded" "failed" "unloaded", or
                               // "pressed" "relieved" of its memory; then `slot` may be "pool", all browsers together
  std::string reason = {};     // why, in words
  Loss loss = Loss::kNone;     // of "losing", and of "ready" that ends an outage
  std::string rung = {};       // teardown_name(), as `loss`
  std::string breaker = {};    // whose state it is: a browser and its adapter, then `slot` is empty
  std::optional<Duration> launched_in = {};  // of "ready": from the start of the launch
  std::optional<Duration> outage = {};       // of "ready" after a loss: from the first loss of the outage
};

class EventRing {
 public:
  explicit EventRing(std::size_t capacity) : capacity_(capacity) {}

  // Keeps it in the place of the oldest when full; returns it with its sequence number.
  const Event& add(Event event);
  // The oldest `limit` of those above `sequence`.
  [[nodiscard]] std::vector<Event> after(std::uint64_t sequence, std::size_t limit) const;
  [[nodiscard]] std::uint64_t last_sequence() const { return last_; }
  // The oldest that is still there; last_sequence() + 1 when none is.
  [[nodiscard]] std::uint64_t first_sequence() const { return last_ + 1 - events_.size(); }

 private:
  std::size_t capacity_;
  std::deque<Event> events_;
  std::uint64_t last_ = 0;
};

}  // namespace shoal::pool
