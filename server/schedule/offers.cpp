#include "server/schedule/offers.hpp"

#include <algorithm>
#include <utility>

namespace shoal::schedule {
namespace {

constexpr std::size_t kMaxChanges = 4096;
constexpr std::size_t kMaxTables = 256;

}  // namespace

void Offers::changed(const std::string& slot) {
  if (tables_.empty()) {
    return;
  }
  changes_.push_back(slot);
  if (changes_.size() > kMaxChanges) {
    changes_.pop_front();
    ++forgotten_;
  }
}

void Offers::look(const Slots& slots, const std::string& name, const Candidate& candidate,
                  const SchedulerLimits& limits, Table& table) {
  const auto slot = slots.find(name);
  if (const auto before = table.ready.find(name); before != table.ready.end()) {
    Offer offer = slot == slots.end() ? Offer() : offer_of(slot->second, candidate, false, limits);
    if (offer.rank == Offer::Rank::kReady && offer.tier == before->second.tier) {
      before->second = std::move(offer);
      return;
    }
    count_graph(table.graphs, before->second, -1);
    table.ready.erase(before);
  }
  if (const auto before = table.others.find(name); before != table.others.end()) {
    count_graph(table.graphs, before->second, -1);
    table.order.erase({order_of(before->second, limits), name});
    table.others.erase(before);
  }
  if (slot == slots.end()) {
    return;
  }
  Offer offer = offer_of(slot->second, candidate, false, limits);
  count_graph(table.graphs, offer, 1);
  if (offer.rank == Offer::Rank::kReady) {
    table.ready.emplace(name, std::move(offer));
  } else {
    table.order.emplace(order_of(offer, limits), name);
    table.others.emplace(name, std::move(offer));
  }
}

Offers::Table& Offers::table_of(const Slots& slots, const Candidate& candidate, const SchedulerLimits& limits) {
  const std::tuple key(candidate.backend, candidate.is_prior, candidate.instance);
  if (tables_.size() >= kMaxTables && !tables_.contains(key)) {
    tables_.clear();
  }
  const auto [found, is_new] = tables_.try_emplace(key);
  Table& table = found->second;
  if (is_new || table.seen < forgotten_ || table.bytes != candidate.bytes) {
    table = Table();
    table.seen = forgotten_ + changes_.size();
    table.bytes = candidate.bytes;
    for (const auto& [name, slot] : slots) {
      look(slots, name, candidate, limits, table);
    }
    return table;
  }
  for (; table.seen < forgotten_ + changes_.size(); ++table.seen) {
    look(slots, changes_[table.seen - forgotten_], candidate, limits, table);
  }
  return table;
}

std::optional<Choice> Offers::choose(const Slots& slots, const Job& job, const Candidate& candidate,
                                     const SchedulerLimits& limits, const Moment& moment) {
  const Table& table = table_of(slots, candidate, limits);
  Ends ends = first_to_end(table.ready, job, units_for(job, candidate), limits, moment.now);
  if (ends.now) {
    return std::move(ends.now);
  }
  const auto best_from = [&](Offer::Rank rank) -> std::optional<Choice> {
    for (auto at = table.order.lower_bound({OfferOrder{.rank = rank}, std::string()}); at != table.order.end(); ++at) {
      if (const Offer& offer = table.others.at(at->second); offer.tier >= job.min_tier) {
        return Choice{.offer = offer, .slot = at->second};
      }
    }
    return std::nullopt;
  };
  const auto of = [](std::optional<Choice> choice, Offer::Rank rank) {
    return choice && choice->offer.rank == rank ? std::move(choice) : std::nullopt;
  };
  return settle({.coming = of(best_from(Offer::Rank::kComing), Offer::Rank::kComing),
                 .loadable = of(best_from(Offer::Rank::kLoadable), Offer::Rank::kLoadable),
                 .other = best_from(Offer::Rank::kBusy),
                 .graphs = table.graphs},
                std::move(ends.later), job, candidate, limits, moment);
}

bool Offers::has_ready(const Slots& slots, const Job& job, const SchedulerLimits& limits) {
  if (job.worker || job.is_alone) {
    return false;
  }
  const Table& table = table_of(slots, job.candidates.front(), limits);
  return std::ranges::any_of(table.ready, [&job](const auto& entry) { return entry.second.tier >= job.min_tier; });
}

Placement Offers::place(const Slots& slots, const Job& job, const SchedulerLimits& limits, const Moment& moment) {
  // What one slot offers is quickly seen, and few jobs run alone.
  if (job.worker || job.is_alone) {
    return schedule::place(slots, job, limits, moment);
  }
  return schedule::place(slots, job, limits,
                         [&](const Candidate& candidate) { return choose(slots, job, candidate, limits, moment); });
}

}  // namespace shoal::schedule
