#include "server/schedule/batching.hpp"

#include <algorithm>

#include "server/schedule/placement.hpp"

namespace shoal::schedule {
namespace {

// Of those behind the first, how many are looked at for each row that is free.
constexpr std::size_t kLooks = 4;
// Padding that is accepted while nobody knows what it costs: this part of the job that joins.
constexpr double kBlindPadding = 0.125;

double rows_times(std::uint32_t rows, std::uint32_t length) { return rows * static_cast<double>(std::max(length, 1U)); }

bool is_padding_worth_it(double padding, double own, const Cost* cost) {
  if (padding <= 0) {
    return true;
  }
  if (cost == nullptr || cost->fixed_us() <= 0) {
    return padding <= kBlindPadding * own;
  }
  return padding * cost->unit_us() <= cost->fixed_us();
}

}  // namespace

const Candidate& best_size(const Candidate& candidate, std::uint32_t rows, Duration max_time,
                           const std::function<Loaded(const Candidate&)>& loaded) {
  const auto time_of = [](const Loaded& graph) {
    return graph.cost == nullptr ? std::nullopt : graph.cost->expected(1);
  };
  const auto single = time_of(loaded(candidate));
  if (candidate.larger == nullptr || !single) {
    return candidate;
  }
  const auto per_row = [rows](Duration time, const Candidate& graph) {
    return std::chrono::duration<double>(time).count() / std::min(rows, graph.rows);
  };
  const Candidate* best = &candidate;
  double best_price = per_row(*single, candidate);
  for (const Candidate& larger : *candidate.larger) {
    const Loaded graph = loaded(larger);
    const Duration time = time_of(graph).value_or(*single * larger.rows / candidate.rows);
    const bool is_too_long = max_time > Duration::zero() && time > max_time;
    if (graph.is_ready && !is_too_long && per_row(time, larger) <= best_price) {
      best = &larger;
      best_price = per_row(time, larger);
    }
  }
  return *best;
}

Batch form_batch(const Queue::Group& group, const std::function<Waiting(JobId)>& waiting, const BatchBounds& bounds,
                 TimePoint now) {
  const Waiting first = waiting(group.begin()->job);
  const Job& head = *first.job;
  const bool is_static = bounds.max_rows > 0;
  Batch batch{.members = {head.id}, .rows = head.rows, .units = is_static ? 1 : units_of(head), .held_until = {}};
  if (head.batch_key.empty() || head.is_alone) {
    return batch;
  }
  const BatchPolicy& policy = *head.batching;
  const bool is_measured = bounds.cost != nullptr && bounds.cost->is_known();
  std::uint32_t most = is_measured || policy.joins_unmeasured ? std::max(policy.max_rows, head.rows) : head.rows;
  most = is_static ? std::min(most, bounds.max_rows) : most;
  TimePoint oldest = first.since;
  TimePoint deadline = head.deadline;
  std::uint32_t length = head.length;
  bool is_full = batch.rows >= most;
  // The largest preferred size that was reached: how many members, what it is.
  Batch preferred;
  const auto note_preferred = [&] {
    if (std::ranges::binary_search(policy.preferred, batch.rows)) {
      preferred = batch;
    }
  };
  note_preferred();
  std::size_t looks = kLooks * most;
  for (auto rank = std::next(group.begin()); rank != group.end() && !is_full && looks > 0; ++rank, --looks) {
    const Waiting next = waiting(rank->job);
    const Job& job = *next.job;
    const std::uint32_t rows = batch.rows + job.rows;
    if (rows > most) {
      is_full = true;
      break;
    }
    const std::uint32_t longest = std::max(length, job.length);
    const double units = is_static ? 1 : rows_times(rows, longest);
    const double own = units_of(job);
    if (!is_static && !is_padding_worth_it(units - batch.units - own, own, bounds.cost)) {
      continue;
    }
    const TimePoint earliest = std::min(deadline, job.deadline);
    // Those that are less urgent may not make the first wait longer for its answer than for a run in its way.
    const bool gives_way = job.priority > head.priority && units > batch.units;
    const Duration max_time = gives_way ? bounds.max_time - (now - first.since) : bounds.max_time;
    if (const auto time = is_measured ? bounds.cost->expected(units) : std::nullopt) {
      const bool is_too_long = bounds.max_time > Duration::zero() && *time > max_time;
      if (is_too_long || (earliest != kNoDeadline && now + *time > earliest)) {
        is_full = true;
        break;
      }
    }
    batch.members.push_back(job.id);
    batch.rows = rows;
    batch.units = units;
    length = longest;
    deadline = earliest;
    oldest = std::min(oldest, next.since);
    is_full = rows >= most;
    note_preferred();
  }
  if (!preferred.members.empty()) {
    return preferred;
  }
  if (!is_full && policy.max_delay > Duration::zero()) {
    const Duration time =
        is_measured ? bounds.cost->expected(batch.units).value_or(Duration::zero()) : Duration::zero();
    TimePoint until = oldest + policy.max_delay;
    if (deadline != kNoDeadline) {
      until = std::min(until, deadline - time);
    }
    if (until > now) {
      batch.held_until = until;
    }
  }
  return batch;
}

}  // namespace shoal::schedule
