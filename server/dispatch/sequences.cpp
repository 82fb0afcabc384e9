#include "server/dispatch/sequences.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace shoal::dispatch {

Sequences::Turn Sequences::start(Sequence& sequence, const Waiting& step) {
  if (step.is_first) {
    sequence.worker.clear();
    sequence.number = next_number_++;
  }
  sequence.running = step.ticket;
  sequence.is_first = step.is_first;
  sequence.is_last = step.is_last;
  return {.ticket = step.ticket, .worker = sequence.worker, .number = sequence.number};
}

void Sequences::orphan(Sequence& sequence, std::deque<Waiting>::iterator from, std::vector<Ticket>& orphans) {
  const auto end = std::find_if(from, sequence.waiting.end(), [](const Waiting& step) { return step.is_first; });
  for (auto step = from; step != end; ++step) {
    orphans.push_back(step->ticket);
    tickets_.erase(step->ticket);
  }
  sequence.waiting.erase(from, end);
}

void Sequences::set_idle(const Key& key, Sequence& sequence, TimePoint now) {
  sequence.ends_at = now + sequence.idle;
  idle_.emplace(sequence.ends_at, key);
}

void Sequences::go_on(const Key& key, bool is_over, TimePoint now, After& after) {
  Sequence& sequence = live_.at(key);
  sequence.running = 0;
  if (!sequence.waiting.empty()) {
    const Waiting next = sequence.waiting.front();
    sequence.waiting.pop_front();
    after.turns.push_back(start(sequence, next));
  } else if (is_over) {
    erase(key);
  } else {
    set_idle(key, sequence, now);
  }
}

void Sequences::erase(const Key& key) {
  idle_.erase({live_.at(key).ends_at, key});
  live_.erase(key);
  if (const auto count = of_model_.find(key.first); --count->second == 0) {
    of_model_.erase(count);
  }
}

Result<std::optional<Sequences::Turn>> Sequences::add(const Model& model, const SequenceStep& step, Ticket ticket,
                                                      const models::SequenceConfig& limits, TimePoint now) {
  expire(now);
  const Key key{model, step.id};
  auto found = live_.find(key);
  if (!step.is_first && (found == live_.end() || found->second.will_end)) {
    return fail(Code::kInvalidArgument,
                fmt::format("inference request for sequence {:.100} to model '{}' must specify the START flag on the "
                            "first request of the sequence",
                            step.id, model.first),
                "sequence_start");
  }
  if (found == live_.end()) {
    if (const auto count = of_model_.find(model); count != of_model_.end() && count->second >= limits.max_live) {
      return fail(Code::kOverloaded, fmt::format("model '{}' has {} live sequences, the limit is {}", model.first,
                                                 count->second, limits.max_live));
    }
    found = live_.emplace(key, Sequence()).first;
    ++of_model_[model];
  }
  Sequence& sequence = found->second;
  if (sequence.waiting.size() >= kMaxWaiting) {
    return fail(Code::kOverloaded, fmt::format("{} requests of sequence {:.100} wait already, the limit is {}",
                                               sequence.waiting.size(), step.id, kMaxWaiting));
  }
  sequence.idle = limits.idle;
  sequence.will_end = step.is_last;
  idle_.erase({sequence.ends_at, key});
  tickets_.emplace(ticket, key);
  const Waiting waiting{.ticket = ticket, .is_first = step.is_first, .is_last = step.is_last};
  if (sequence.running != 0) {
    sequence.waiting.push_back(waiting);
    return std::nullopt;
  }
  return start(sequence, waiting);
}

Sequences::After Sequences::ended(Ticket ticket, const std::string& worker, TimePoint now) {
  After after;
  const auto at = tickets_.find(ticket);
  if (at == tickets_.end()) {
    return after;  // its sequence was lost meanwhile
  }
  const Key key = at->second;
  Sequence& sequence = live_.at(key);
  tickets_.erase(at);
  const bool is_over = sequence.is_last || (sequence.is_first && worker.empty());
  if (!worker.empty()) {
    sequence.worker = worker;
  }
  if (is_over) {
    orphan(sequence, sequence.waiting.begin(), after.orphans);
  }
  go_on(key, is_over, now, after);
  return after;
}

std::optional<Sequences::After> Sequences::remove(Ticket ticket) {
  const auto at = tickets_.find(ticket);
  if (at == tickets_.end()) {
    return std::nullopt;
  }
  Sequence& sequence = live_.at(at->second);
  const auto step = std::ranges::find(sequence.waiting, ticket, &Waiting::ticket);
  if (step == sequence.waiting.end()) {
    return std::nullopt;
  }
  After after;
  const bool is_first = step->is_first;
  const auto behind = sequence.waiting.erase(step);
  tickets_.erase(at);
  if (is_first) {
    orphan(sequence, behind, after.orphans);
  }
  sequence.will_end = sequence.waiting.empty() ? sequence.is_last : sequence.waiting.back().is_last;
  return after;
}

Sequences::After Sequences::lost(const std::string& worker, TimePoint now) {
  After after;
  std::vector<Key> keys;
  for (const auto& [key, sequence] : live_) {
    if (sequence.worker == worker) {
      keys.push_back(key);
    }
  }
  for (const Key& key : keys) {
    Sequence& sequence = live_.at(key);
    if (sequence.running != 0) {
      after.orphans.push_back(sequence.running);
      tickets_.erase(sequence.running);
    } else {
      idle_.erase({sequence.ends_at, key});
    }
    orphan(sequence, sequence.waiting.begin(), after.orphans);
    go_on(key, true, now, after);
  }
  return after;
}

void Sequences::expire(TimePoint now) {
  while (!idle_.empty() && idle_.begin()->first <= now) {
    erase(Key(idle_.begin()->second));
  }
}

}  // namespace shoal::dispatch
