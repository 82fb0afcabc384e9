#include "server/schedule/offers.hpp"

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
  table.ready.erase(name);
  if (const auto before = table.others.find(name); before != table.others.end()) {
    table.order.erase({before->second.rank, before->second.in_flight, name});
    table.others.erase(before);
  }
  const auto slot = slots.find(name);
  if (slot == slots.end()) {
    return;
  }
  Offer offer = offer_of(slot->second, candidate, false, limits);
  if (offer.rank == Offer::Rank::kReady) {
    table.ready.emplace(name, std::move(offer));
  } else {
    table.order.emplace(offer.rank, offer.in_flight, name);
    table.others.emplace(name, std::move(offer));
  }
}

Offers::Table& Offers::table_of(const Slots& slots, const Candidate& candidate, const SchedulerLimits& limits) {
  const std::pair key(candidate.backend, candidate.instance);
  if (tables_.size() >= kMaxTables && !tables_.contains(key)) {
    tables_.clear();
  }
  const auto [found, is_new] = tables_.try_emplace(key);
  Table& table = found->second;
  if (is_new || table.seen < forgotten_ || table.bytes != candidate.bytes) {
    table =
        Table{.seen = forgotten_ + changes_.size(), .bytes = candidate.bytes, .ready = {}, .others = {}, .order = {}};
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
                                     const SchedulerLimits& limits) {
  const Table& table = table_of(slots, candidate, limits);
  if (auto first = first_to_end(table.ready, units_for(job, candidate), job.min_tier)) {
    return first;
  }
  for (const auto& [rank, in_flight, name] : table.order) {
    if (const Offer& offer = table.others.at(name); offer.tier >= job.min_tier) {
      return Choice{offer, name, {}};
    }
  }
  return std::nullopt;
}

Placement Offers::place(const Slots& slots, const Job& job, const SchedulerLimits& limits) {
  // What one slot offers is quickly seen, and few jobs run alone.
  if (job.worker || job.is_alone) {
    return schedule::place(slots, job, limits);
  }
  return schedule::place(slots, job, limits,
                         [&](const Candidate& candidate) { return choose(slots, job, candidate, limits); });
}

}  // namespace shoal::schedule
