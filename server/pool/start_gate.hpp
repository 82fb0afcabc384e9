// Who may start a browser now: never more at once than there are places, those that were lost before those that were
// never there, in the order in which they asked, and nobody whose breaker is open. Pure: time comes in.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "server/pool/breaker.hpp"

namespace shoal::pool {

// What slots share when they share a fate: the program that is started, with which adapter, and where.
struct BreakerKey {
  std::string browser = {};  // the program, or the remote end's address
  std::string adapter = {};  // "software" "hardware"; empty of a remote end
  auto operator<=>(const BreakerKey&) const = default;
};

struct BreakerView {
  BreakerKey key;
  BreakerState state = BreakerState::kClosed;
  std::string reason;          // of the last failed start; empty = none yet
  std::uint64_t opened = 0;    // times
  std::uint64_t failures = 0;  // that count now
  std::uint64_t waiting = 0;   // slots that wait to start
  Duration retry_in{};         // of open
};

class StartGate {
 public:
  struct Observer {
    // A breaker's state changed, other than from open to half-open, which is the clock's doing.
    std::function<void(const BreakerView&, BreakerState from)> changed;
    // The turn of one that waits may have come.
    std::function<void()> freed;
  };

  StartGate(std::size_t places, BreakerLimits limits, Observer observer = {})
      : places_(places), limits_(limits), observer_(std::move(observer)) {}

  void add(const std::string& slot, BreakerKey key);
  void remove(const std::string& slot);

  // The slot wants to start. Idempotent until it has begun.
  void ask(const std::string& slot, bool was_lost);
  [[nodiscard]] bool may_begin(const std::string& slot, TimePoint now) const;
  // It starts: it has a place until ended().
  void begin(const std::string& slot, TimePoint now);
  // What became of it: it is a worker, or it is none any more. Gives up place and turn; idempotent.
  void ended(const std::string& slot);
  // Of the slot's breaker.
  void failed(const std::string& slot, std::string reason, TimePoint now);
  void lived(const std::string& slot, TimePoint now);
  void withdrew(const std::string& slot);
  void hurry(const std::string& slot, TimePoint now);

  // Why the slot may not begin, in words; empty when only others are before it.
  [[nodiscard]] std::string obstacle(const std::string& slot, TimePoint now) const;
  [[nodiscard]] std::vector<BreakerView> breakers(TimePoint now) const;
  [[nodiscard]] std::size_t starting() const { return starting_.size(); }

 private:
  using Turn = std::tuple<bool, std::uint64_t, std::string>;  // first start, arrival, slot

  [[nodiscard]] BreakerView view(const BreakerKey& key, const Breaker& breaker, TimePoint now) const;
  template <class Act>
  void change(const std::string& slot, TimePoint now, Act act);

  std::size_t places_;
  BreakerLimits limits_;
  Observer observer_;
  std::map<BreakerKey, Breaker> breakers_;
  std::map<std::string, BreakerKey> keys_;  // by slot
  std::map<std::string, Turn> turns_;       // of those that wait
  std::set<Turn> waiting_;
  std::set<std::string> starting_;
  std::uint64_t arrivals_ = 0;
};

}  // namespace shoal::pool
