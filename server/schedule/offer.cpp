#include "server/schedule/offer.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "server/schedule/residency.hpp"

namespace shoal::schedule {
namespace {

Offer of_rank(Offer::Rank rank, std::uint32_t in_flight = 0) {
  Offer offer;
  offer.rank = rank;
  offer.in_flight = in_flight;
  return offer;
}

Offer failed(Error error) {
  Offer offer = of_rank(Offer::Rank::kFailed);
  offer.error = std::move(error);
  return offer;
}

// Runs that others have to wait for.
std::uint32_t one_by_one(const Engine& engine) {
  std::uint32_t runs = engine.in_flight;
  for (const auto& [name, instance] : engine.instances) {
    runs -= instance.together > 0 ? instance.in_flight : 0;
  }
  return runs;
}

Offer from_instance(const Engine& engine, const Candidate& candidate, const InstanceState& instance,
                    std::uint32_t in_flight, const SchedulerLimits& limits) {
  if (instance.kind == InstanceState::Kind::kFailed) {
    return failed(instance.error);
  }
  Offer offer = of_rank(Offer::Rank::kComing, in_flight);
  if (instance.kind == InstanceState::Kind::kLoading) {
    offer.is_loading = true;
    if (const auto load = engine.loads.expected(candidate.instance, candidate.bytes)) {
      offer.at = instance.since + *load;
    }
    return offer;
  }
  if (const auto cost = engine.costs.find(candidate.instance); limits.balances_load && cost != engine.costs.end()) {
    offer.cost = &cost->second;
    offer.at = engine.free_at;
  }
  if (candidate.together > 0) {
    // Nobody knows when one of those that go on together ends, and none waits for another.
    offer.at = std::nullopt;
  } else {
    offer.is_taken = one_by_one(engine) >= candidate.at_once;
  }
  if (has_place_for(engine, candidate, limits.max_in_flight)) {
    offer.rank = Offer::Rank::kReady;
    offer.prefixes = &instance.prefixes;
  }
  return offer;
}

Offer what_it_offers(const Slot& slot, const Candidate& candidate, bool is_alone, const SchedulerLimits& limits) {
  const auto found = slot.engines.find(candidate.backend);
  if (found == slot.engines.end()) {
    return {};
  }
  const Engine& engine = found->second;
  const std::uint32_t in_flight = limits.balances_load ? engine.in_flight : 0;
  if (!engine.usable || (candidate.is_prior && !engine.is_worth)) {
    Offer none;
    none.error = {Code::kBackendUnavailable, engine.why_not, {}};
    return none;
  }
  if (slot.intake == Intake::kDrained) {
    return of_rank(Offer::Rank::kDrained);
  }
  const bool is_taken = slot.is_reserved || (is_alone && in_flight_of(slot) > 0);
  if (!slot.is_up || slot.intake == Intake::kHeld || slot.duty != Duty::kServing || is_taken) {
    return of_rank(Offer::Rank::kBusy, in_flight);
  }
  if (const auto instance = engine.instances.find(candidate.instance); instance != engine.instances.end()) {
    return from_instance(engine, candidate, instance->second, in_flight, limits);
  }
  if (!fits_alone(slot, candidate) || is_full_of_kept(engine, limits.max_instances)) {
    return failed(too_big(candidate, slot, limits.max_instances));
  }
  auto evicted = room_for(slot, candidate, limits.max_instances);
  // Only into a free place in the engine: a graph loaded for later would be evicted again by the next in line.
  if (!evicted || (!evicted->empty() && engine.in_flight >= limits.max_in_flight)) {
    Offer busy = of_rank(Offer::Rank::kBusy, in_flight);
    busy.needs_room = true;
    return busy;
  }
  Offer offer = of_rank(Offer::Rank::kLoadable, in_flight);
  offer.evicted = *std::move(evicted);
  offer.load = engine.loads.expected(candidate.instance, candidate.bytes);
  return offer;
}

}  // namespace

bool takes_work(const Slot& slot) { return slot.intake == Intake::kOpen && slot.duty != Duty::kSpare; }

double units_of(const Job& job) { return job.rows * static_cast<double>(std::max(job.length, 1U)); }

std::uint32_t in_flight_of(const Slot& slot) {
  std::uint32_t total = 0;
  for (const auto& [backend, engine] : slot.engines) {
    total += engine.in_flight;
  }
  return total;
}

bool has_place_for(const Engine& engine, const Candidate& candidate, std::uint32_t max_in_flight) {
  const InstanceState& own = engine.instances.at(candidate.instance);
  if (candidate.together > 0 && own.in_flight > 0) {
    return own.in_flight < candidate.together;
  }
  const auto groups = std::ranges::count_if(
      engine.instances, [](const auto& entry) { return entry.second.together > 0 && entry.second.in_flight > 0; });
  return one_by_one(engine) + static_cast<std::uint32_t>(groups) < max_in_flight;
}

Offer offer_of(const Slot& slot, const Candidate& candidate, bool is_alone, const SchedulerLimits& limits) {
  Offer offer = what_it_offers(slot, candidate, is_alone, limits);
  offer.tier = slot.tier;
  offer.favours = slot.favours;
  offer.is_pressed = slot.is_pressed;
  return offer;
}

OfferOrder order_of(const Offer& offer, const SchedulerLimits& limits) {
  constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::max();
  constexpr std::uint32_t kEviction = 1U << 16;
  constexpr std::uint32_t kPressure = 1U << 17;
  OfferOrder order{.rank = offer.rank, .burden = 0, .time = 0};
  switch (offer.rank) {
    case Offer::Rank::kComing:
      order.burden = offer.at ? 0 : 1;
      order.time = limits.balances_load && offer.at ? offer.at->time_since_epoch().count() : 0;
      break;
    case Offer::Rank::kLoadable:
      order.burden = offer.in_flight + (offer.evicted.empty() ? 0 : kEviction) + (offer.is_pressed ? kPressure : 0);
      if (limits.balances_load) {
        order.time = offer.load ? offer.load->count() : kUnknown;
      }
      break;
    case Offer::Rank::kBusy:
      // Room can be made; nobody knows when a browser comes.
      order.burden = offer.in_flight + (offer.needs_room ? 0 : kEviction);
      break;
    default:
      break;
  }
  return order;
}

}  // namespace shoal::schedule
