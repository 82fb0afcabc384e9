#include "server/schedule/cost.hpp"

#include <algorithm>

namespace shoal::schedule {
namespace {

constexpr double kFading = 0.95;
// Sizes that differ by less than a tenth of their mean say nothing about the fixed part.
constexpr double kLeastSpread = 0.01;

}  // namespace

void Cost::add(double units, Duration time) {
  const double microseconds = std::chrono::duration<double, std::micro>(time).count();
  weight_ = weight_ * kFading + 1;
  units_ = units_ * kFading + units;
  time_ = time_ * kFading + microseconds;
  units_units_ = units_units_ * kFading + units * units;
  units_time_ = units_time_ * kFading + units * microseconds;
}

Cost::Line Cost::line() const {
  if (weight_ <= 0) {
    return {};
  }
  const double mean_units = units_ / weight_;
  const double mean_time = time_ / weight_;
  if (units_ <= 0) {
    return {mean_time, 0};
  }
  const double steepest = mean_time / mean_units;
  const double variance = units_units_ / weight_ - mean_units * mean_units;
  if (variance < kLeastSpread * mean_units * mean_units) {
    return {0, steepest};
  }
  const double slope = (units_time_ / weight_ - mean_units * mean_time) / variance;
  const double unit_us = std::clamp(slope, 0.0, steepest);
  return {mean_time - unit_us * mean_units, unit_us};
}

Duration Cost::mean() const {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::micro>(is_known() ? time_ / weight_ : 0));
}

std::optional<Duration> Cost::expected(double units) const {
  if (!is_known()) {
    return std::nullopt;
  }
  const Line fit = line();
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::micro>(fit.fixed_us + fit.unit_us * units));
}

}  // namespace shoal::schedule
