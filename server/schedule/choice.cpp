#include "server/schedule/choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "server/core/tier.hpp"

namespace shoal::schedule {
namespace {

// A load takes memory and time of others: it has to pay.
constexpr double kLoadMargin = 0.8;
constexpr Duration kLeastPause = std::chrono::milliseconds(10);

double in_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
Duration duration_of(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

double seconds_of(const Cost& cost, double units) { return in_seconds(*cost.expected(units)); }

// What a run finds before it. One that should be over takes as long again as it is late: it may hang.
double remaining(const Offer& offer, TimePoint now) { return offer.at ? std::abs(in_seconds(*offer.at - now)) : 0; }

// Whether an urgent job that came next would not have to wait too long for this run and those before it.
bool has_place(const Offer& offer, double run, const SchedulerLimits& limits, TimePoint now) {
  if (!offer.is_taken || offer.cost == nullptr || limits.max_batch_time == Duration::zero()) {
    return true;
  }
  const double before = offer.at ? std::max(0.0, in_seconds(*offer.at - now)) : 0;
  return before + run <= in_seconds(limits.max_batch_time);
}

// Whether the last of those that wait ends sooner when one more slot loads the graph.
bool is_load_worth_it(const Choice& coming, const Choice& loadable, std::size_t graphs, const Job& job,
                      const Candidate& candidate, const SchedulerLimits& limits, const Moment& moment) {
  const auto load = loadable.offer.load;
  if (!load || !coming.offer.at) {
    return moment.waiting > graphs;
  }
  const auto waiting = static_cast<double>(moment.waiting);
  const bool is_joined = limits.joins && !job.batch_key.empty() && job.batching != nullptr;
  const double together =
      is_joined ? std::clamp(std::floor(job.batching->max_rows / std::max<double>(job.rows, 1)), 1.0, waiting) : 1.0;
  double run = 0;
  if (coming.offer.cost != nullptr) {
    const double units = units_for(job, candidate);
    const double single = seconds_of(*coming.offer.cost, units);
    run = candidate.rows > 0 ? single : seconds_of(*coming.offer.cost, units * together);
    if (limits.max_batch_time > Duration::zero()) {
      run = std::min(run, std::max(single, in_seconds(limits.max_batch_time)));
    }
  }
  const double turns = std::ceil(waiting / together / static_cast<double>(std::max<std::size_t>(graphs, 1)));
  return in_seconds(*load) + run < kLoadMargin * (remaining(coming.offer, moment.now) + run * turns);
}

// What need not be done there for the job, since it was done for others.
double saved_units(const Offer& offer, const Job& job) {
  return offer.prefixes == nullptr || job.prefix.empty()
             ? 0
             : job.prefix_units * static_cast<double>(offer.prefixes->matching(job.prefix));
}

// Of a demanded worker: those that have the graph are as many as may have it, and it is none of them.
Offer full_without(const std::string& worker, const Candidate& candidate) {
  Offer offer;
  offer.rank = Offer::Rank::kFailed;
  offer.error = {Code::kUnavailable,
                 fmt::format("instance_group allows the model {} workers, and as many have it: '{}' is none of them",
                             candidate.max_workers, worker),
                 "shoal_worker"};
  return offer;
}

}  // namespace

double units_for(const Job& job, const Candidate& candidate) { return candidate.rows > 0 ? 1 : units_of(job); }

Ends first_to_end(const std::map<std::string, Offer>& ready, const Job& job, double units,
                  const SchedulerLimits& limits, TimePoint now) {
  double measured = 0;
  double total = 0;
  for (const auto& [name, offer] : ready) {
    if (offer.cost != nullptr && offer.tier >= job.min_tier) {
      ++measured;
      total += seconds_of(*offer.cost, units);
    }
  }
  const double usual = measured > 0 ? total / measured : 1;
  // A hair's breadth: it decides between workers that nobody has measured, and nothing else.
  constexpr double kDisfavour = 1.001;
  const auto guess = [&](const Offer& offer) {
    const bool is_favourite = !job.family || std::ranges::find(offer.favours, *job.family) != offer.favours.end();
    return is_favourite ? usual : usual * kDisfavour;
  };
  const std::pair<const std::string, Offer>* first = nullptr;
  const std::pair<const std::string, Offer>* later = nullptr;
  double soonest = 0;
  double own = 0;
  for (const auto& entry : ready) {
    const Offer& offer = entry.second;
    if (offer.tier < job.min_tier) {
      continue;
    }
    const double left = units - saved_units(offer, job);
    const double run = offer.cost == nullptr ? guess(offer) * (left / units) : seconds_of(*offer.cost, left);
    if (!has_place(offer, run, limits, now)) {
      later = later == nullptr || offer.at < later->second.at ? &entry : later;
      continue;
    }
    const double seconds = (offer.in_flight + 1) * run;
    if (first == nullptr || seconds < soonest) {
      first = &entry;
      soonest = seconds;
      own = run;
    }
  }
  Ends ends;
  if (first != nullptr) {
    ends.now = Choice{.offer = first->second, .slot = first->first};
    if (measured > 0) {
      ends.now->seconds = soonest;
      ends.now->run = own;
    }
  } else if (later != nullptr) {
    ends.later = Choice{.offer = later->second, .slot = later->first};
    ends.later->offer.rank = Offer::Rank::kComing;
    const TimePoint opens =
        *later->second.at + duration_of(seconds_of(*later->second.cost, units)) - limits.max_batch_time;
    if (opens > now) {
      ends.later->again = opens + std::chrono::microseconds(1);
    }
  }
  return ends;
}

std::optional<Choice> settle(Field field, std::optional<Choice> later, const Job& job, const Candidate& candidate,
                             const SchedulerLimits& limits, const Moment& moment) {
  std::optional<Choice>& coming = field.coming;
  if (later && (!coming || !coming->offer.at || later->offer.at < coming->offer.at)) {
    coming = std::move(later);
  }
  std::size_t graphs = 0;
  for (std::size_t tier = static_cast<std::size_t>(job.min_tier); tier < field.graphs.size(); ++tier) {
    graphs += field.graphs.at(tier);
  }
  if (candidate.max_workers > 0 && graphs >= candidate.max_workers) {
    const bool is_refused = field.loadable || (field.other && field.other->offer.needs_room);
    if (job.worker && is_refused) {
      field.other = Choice{.offer = full_without(*job.worker, candidate), .slot = *job.worker};
    }
    field.loadable.reset();
  }
  if (!coming) {
    return field.loadable ? std::move(field.loadable) : std::move(field.other);
  }
  if (field.loadable && is_load_worth_it(*coming, *field.loadable, graphs, job, candidate, limits, moment)) {
    return std::move(field.loadable);
  }
  if (field.loadable) {
    const Duration pause = std::max(field.loadable->offer.load.value_or(std::chrono::seconds(1)), kLeastPause);
    const TimePoint again = std::max(coming->offer.at.value_or(moment.now), moment.now) + pause;
    coming->again = coming->again ? std::min(*coming->again, again) : again;
  }
  return std::move(coming);
}

std::optional<Choice> choose(const Slots& slots, const Job& job, const Candidate& candidate,
                             const SchedulerLimits& limits, const Moment& moment) {
  std::map<std::string, Offer> ready;
  Field field;
  for (const auto& [name, slot] : slots) {
    const bool is_asked = !job.worker || *job.worker == name;
    if (slot.tier < job.min_tier || (!is_asked && candidate.max_workers == 0)) {
      continue;
    }
    Offer offer = offer_of(slot, candidate, job.is_alone, limits);
    count_graph(field.graphs, offer, 1);
    if (!is_asked) {
      continue;
    }
    if (offer.rank == Offer::Rank::kReady) {
      ready.emplace(name, std::move(offer));
      continue;
    }
    std::optional<Choice>& part = offer.rank == Offer::Rank::kComing     ? field.coming
                                  : offer.rank == Offer::Rank::kLoadable ? field.loadable
                                                                         : field.other;
    const OfferOrder order = order_of(offer, limits);
    if (!part || order < order_of(part->offer, limits)) {
      part = Choice{.offer = std::move(offer), .slot = name};
    }
  }
  Ends ends = first_to_end(ready, job, units_for(job, candidate), limits, moment.now);
  return ends.now ? std::move(ends.now)
                  : settle(std::move(field), std::move(ends.later), job, candidate, limits, moment);
}

}  // namespace shoal::schedule
