// What a load run counts: the answers within the measured stretch of time, their latencies, and what went wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace shoal::bench {

using Clock = std::chrono::steady_clock;

struct Summary {
  std::uint64_t answers = 0;
  std::uint64_t all_answers = 0;  // with those that are not counted: the server's work during the whole run
  std::uint64_t errors = 0;
  std::string first_error;  // empty where there is none
  double per_second = 0;
  double p50_us = 0;
  double p95_us = 0;
  double p99_us = 0;
};

// One thread's.
class Tally {
 public:
  // Answers before `from` warm up and are not counted; those at `until` or later came too late to be.
  Tally(Clock::time_point from, Clock::time_point until) : from_(from), until_(until) {}

  bool is_over(Clock::time_point now) const { return now >= until_; }
  void answered(Clock::time_point sent, Clock::time_point now);
  // A wrong answer or none, whenever it came.
  void failed(std::string why);
  Summary summary() const;

 private:
  Clock::time_point from_;
  Clock::time_point until_;
  std::vector<Clock::duration> latencies_;
  std::uint64_t all_answers_ = 0;
  std::uint64_t errors_ = 0;
  std::string first_error_;
};

}  // namespace shoal::bench
