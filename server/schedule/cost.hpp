// How long runs of one graph take on one engine, learnt from those that were seen: a fixed part and one per unit of
// work, by least squares over recent runs. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "server/core/clock.hpp"

namespace shoal::schedule {

class Cost {
 public:
  // A run of `units` took `time` of its engine. Old runs fade: the last 20 or so decide.
  void add(double units, Duration time);
  // Of a run of `units`; nothing before the first run. Not below what a run of no units takes.
  [[nodiscard]] std::optional<Duration> expected(double units) const;
  // What each run takes whatever its size, in microseconds: what joining two runs saves. 0 while all were of one size.
  [[nodiscard]] double fixed_us() const { return line().fixed_us; }
  [[nodiscard]] double unit_us() const { return line().unit_us; }
  // Of the runs of late, whatever their sizes; 0 before the first.
  [[nodiscard]] Duration mean() const;
  [[nodiscard]] bool is_known() const { return weight_ > 0; }

 private:
  struct Line {
    double fixed_us = 0;
    double unit_us = 0;
  };
  [[nodiscard]] Line line() const;

  double weight_ = 0;
  double units_ = 0;  // the rest are weighted sums
  double time_ = 0;
  double units_units_ = 0;
  double units_time_ = 0;
};

}  // namespace shoal::schedule
