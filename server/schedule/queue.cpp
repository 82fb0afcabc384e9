#include "server/schedule/queue.hpp"

#include <string_view>
#include <utility>

namespace shoal::schedule {

std::string Queue::group_of(const Job& job) {
  std::string group;
  for (const Candidate& candidate : job.candidates) {
    group += candidate.instance;
    group += candidate.is_prior ? "?\n" : "\n";
  }
  group += job.batch_key;
  group += '\n';
  group += job.worker ? std::string_view(*job.worker) : std::string_view();
  group += '\n';
  group += static_cast<char>('0' + static_cast<int>(job.min_tier));
  if (job.is_alone || job.is_guess) {
    group += job.is_alone ? '!' : '?';
  }
  return group;
}

void Queue::insert(const std::string& group, const Rank& rank, std::uint64_t bytes) {
  Group& ranks = groups_[group];
  const bool is_first = ranks.empty() || rank < *ranks.begin();
  if (is_first && !ranks.empty()) {
    heads_.erase(*ranks.begin());
  }
  ranks.insert(rank);
  if (is_first) {
    heads_.emplace(rank, &ranks);
  }
  ++size_;
  bytes_ += bytes;
}

void Queue::erase(const std::string& group, const Rank& rank, std::uint64_t bytes) {
  const auto found = groups_.find(group);
  Group& ranks = found->second;
  const bool was_first = *ranks.begin() == rank;
  ranks.erase(rank);
  if (was_first) {
    heads_.erase(rank);
    if (ranks.empty()) {
      groups_.erase(found);
    } else {
      heads_.emplace(*ranks.begin(), &ranks);
    }
  }
  --size_;
  bytes_ -= bytes;
}

std::optional<Queue::Head> Queue::first() const {
  return heads_.empty() ? std::nullopt : std::optional<Head>({heads_.begin()->first, heads_.begin()->second});
}

std::optional<Queue::Head> Queue::first_after(const Rank& rank) const {
  const auto next = heads_.upper_bound(rank);
  return next == heads_.end() ? std::nullopt : std::optional<Head>({next->first, next->second});
}

}  // namespace shoal::schedule
