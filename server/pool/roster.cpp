#include "server/pool/roster.hpp"

#include <fmt/format.h>

namespace shoal::pool {
namespace {

using schedule::Duty;
using Condition = Place::Condition;

class View {
 public:
  explicit View(std::span<const Place> places) : places_(places) {}

  [[nodiscard]] std::uint32_t count(Duty duty, std::optional<Condition> condition = {}) const {
    std::uint32_t found = 0;
    for (const Place& place : places_) {
      found += is(place, duty, condition) ? 1 : 0;
    }
    return found;
  }
  [[nodiscard]] std::optional<std::size_t> first(Duty duty, Condition condition) const {
    for (std::size_t at = 0; at < places_.size(); ++at) {
      if (is(places_[at], duty, condition)) {
        return at;
      }
    }
    return std::nullopt;
  }
  // Of those that nobody waits for and that have nothing in hand.
  [[nodiscard]] std::optional<std::size_t> last_free(Duty duty, Condition condition) const {
    for (std::size_t at = places_.size(); at-- > 0;) {
      const Place& place = places_[at];
      if (is(place, duty, condition) && !place.is_busy && !place.is_named) {
        return at;
      }
    }
    return std::nullopt;
  }

 private:
  static bool is(const Place& place, Duty duty, std::optional<Condition> condition) {
    return place.duty == duty && place.condition != Condition::kOut && (!condition || place.condition == *condition);
  }

  std::span<const Place> places_;
};

// A dormant slot that has not finished going is there at once.
std::optional<std::size_t> to_wake(const View& view) {
  const auto ready = view.first(Duty::kDormant, Condition::kReady);
  return ready ? ready : view.first(Duty::kDormant, Condition::kComing);
}

}  // namespace

std::optional<Reassignment> reassign(std::span<const Place> places, std::uint32_t serving, std::uint32_t spares,
                                     const std::string& why) {
  const View view(places);
  const std::uint32_t now_serving = view.count(Duty::kServing);
  const std::uint32_t ready = view.count(Duty::kServing, Condition::kReady);
  const std::uint32_t now_spare = view.count(Duty::kSpare);
  for (std::size_t at = 0; at < places.size(); ++at) {
    const Place& place = places[at];
    if (place.is_named && place.duty != Duty::kServing && place.condition != Condition::kOut) {
      return Reassignment{at, Duty::kServing, "a request asks for this worker"};
    }
  }
  if (ready < serving) {
    if (const auto spare = view.first(Duty::kSpare, Condition::kReady)) {
      const auto lost = view.first(Duty::kServing, Condition::kComing);
      return Reassignment{*spare, Duty::kServing,
                          lost && now_serving >= serving ? "takes over from " + places[*lost].slot : why};
    }
  }
  if (now_serving < serving) {
    const auto coming = view.first(Duty::kSpare, Condition::kComing);
    if (const auto more = coming ? coming : to_wake(view)) {
      return Reassignment{*more, Duty::kServing, why.empty() ? "another one is out of service" : why};
    }
  }
  if (now_serving > serving) {
    auto fewer = view.last_free(Duty::kServing, Condition::kComing);
    if (!fewer && ready > serving) {
      fewer = view.last_free(Duty::kServing, Condition::kReady);
    }
    if (fewer) {
      return now_spare < spares ? Reassignment{*fewer, Duty::kSpare, "others serve in its place"}
                                : Reassignment{*fewer, Duty::kDormant, why.empty() ? "others serve in its place" : why};
    }
  }
  if (now_spare < spares) {
    if (const auto more = to_wake(view)) {
      return Reassignment{*more, Duty::kSpare, fmt::format("{} of {} spares are there", now_spare, spares)};
    }
  }
  if (now_spare > spares) {
    const auto coming = view.last_free(Duty::kSpare, Condition::kComing);
    if (const auto fewer = coming ? coming : view.last_free(Duty::kSpare, Condition::kReady)) {
      return Reassignment{*fewer, Duty::kDormant, "enough spares are there"};
    }
  }
  return std::nullopt;
}

}  // namespace shoal::pool
