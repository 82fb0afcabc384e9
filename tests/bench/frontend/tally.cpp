#include "tests/bench/frontend/tally.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace shoal::bench {
namespace {

// The smallest value that at least `percent` per cent of the values do not exceed; 0 of none.
double percentile_us(const std::vector<Clock::duration>& ordered, std::size_t percent) {
  if (ordered.empty()) {
    return 0;
  }
  const std::size_t rank = (ordered.size() * percent + 99) / 100;
  return std::chrono::duration<double, std::micro>(ordered[std::max<std::size_t>(rank, 1) - 1]).count();
}

}  // namespace

void Tally::answered(Clock::time_point sent, Clock::time_point now) {
  ++all_answers_;
  if (now >= from_ && now < until_) {
    latencies_.push_back(now - sent);
  }
}

void Tally::failed(std::string why) {
  if (errors_++ == 0) {
    first_error_ = std::move(why);
  }
}

Summary Tally::summary() const {
  auto ordered = latencies_;
  std::ranges::sort(ordered);
  return {.answers = ordered.size(),
          .all_answers = all_answers_,
          .errors = errors_,
          .first_error = first_error_,
          .per_second = static_cast<double>(ordered.size()) / std::chrono::duration<double>(until_ - from_).count(),
          .p50_us = percentile_us(ordered, 50),
          .p95_us = percentile_us(ordered, 95),
          .p99_us = percentile_us(ordered, 99)};
}

}  // namespace shoal::bench
