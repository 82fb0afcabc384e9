#include "server/schedule/admission.hpp"

#include <algorithm>
#include <cmath>

namespace shoal::schedule {
namespace {

constexpr std::size_t kMaxGraphs = 1024;
constexpr std::size_t kMaxLines = 256;
constexpr Duration kQuantum = std::chrono::milliseconds(10);
// The last fifty samples decide, or those of so many seconds where there are more.
constexpr double kFading = 0.98;
constexpr double kRateSeconds = 2;
constexpr double kInflowSeconds = 1;
constexpr std::uint64_t kLeastEnds = 8;
// Of the measured rate: what is promised must hold in bad moments too.
constexpr double kCaution = 0.9;
// Cautions follow this part of the errors: so many of the forecasts are to be long enough.
constexpr double kKept = 0.998;
constexpr double kStep = 0.02;
constexpr double kMaxCaution = 4;
// Without forecasts to learn from (everybody was refused) a caution fades.
constexpr double kSilenceSeconds = 2;
constexpr double kLeastShare = 0.02;

double in_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
Duration duration_of(double seconds) {
  constexpr double kMax = 1e9;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::clamp(seconds, -kMax, kMax)));
}

double fading_after(double gap_seconds, double window_seconds) {
  return std::max(kFading, std::exp(-gap_seconds / window_seconds));
}

}  // namespace

void Admission::Mean::add(double sample, TimePoint now) {
  weight = weight * fading_after(at ? in_seconds(now - *at) : 0, kRateSeconds) + 1;
  at = now;
  value += (sample - value) / weight;
}

Admission::Place Admission::place_of(const Rank& rank) {
  return {rank.priority, rank.is_late, rank.deadline.time_since_epoch() / kQuantum};
}

double Admission::seconds_of(const std::string& instance, double units) const {
  const auto graph = graphs_.find(instance);
  const auto time = graph == graphs_.end() ? std::nullopt : graph->second.cost.expected(units);
  return time ? in_seconds(*time) : 0;
}

void Admission::measured(const std::string& instance, double units, Duration time) {
  if (graphs_.size() >= kMaxGraphs && !graphs_.contains(instance)) {
    graphs_.erase(graphs_.begin());
  }
  graphs_[instance].cost.add(units, time);
}

void Admission::wait(const std::string& line, const Rank& rank, double seconds) {
  Waiting& place = lines_[line].places[place_of(rank)];
  place.seconds += seconds;
  ++place.jobs;
}

void Admission::leave(const std::string& line, const Rank& rank, double seconds) {
  Line& found = lines_.at(line);
  const auto place = found.places.find(place_of(rank));
  place->second.seconds = std::max(0.0, place->second.seconds - seconds);
  if (--place->second.jobs == 0) {
    found.places.erase(place);
  }
  if (found.places.empty()) {
    found.since.reset();
    if (lines_.size() > kMaxLines && found.running == 0) {
      lines_.erase(line);
    }
  }
}

void Admission::admitted(const std::string& line, std::uint32_t priority, double seconds, TimePoint now) {
  Inflow& inflow = lines_[line].inflows[priority];
  inflow.seconds = inflow.seconds * std::exp(-in_seconds(now - inflow.at) / kInflowSeconds) + seconds;
  inflow.at = now;
}

void Admission::started(const std::string& line, TimePoint now) {
  Line& found = lines_[line];
  // While nothing runs, those that wait do so for a graph or a worker.
  if (found.running++ == 0) {
    found.since = now;
  }
}

void Admission::stopped(const std::string& line) {
  const auto found = lines_.find(line);
  if (found != lines_.end() && --found->second.running == 0) {
    found->second.since.reset();
  }
}

void Admission::ended(const std::string& line, const std::string& instance, double seconds, Duration stay,
                      TimePoint now) {
  if (const auto graph = graphs_.find(instance); graph != graphs_.end()) {
    graph->second.stay.add(in_seconds(stay), now);
  }
  const auto found = lines_.find(line);
  if (found == lines_.end() || found->second.places.empty()) {
    return;
  }
  Line& known = found->second;
  if (known.since && seconds > 0) {
    const double gap = in_seconds(now - *known.since);
    const double fading = fading_after(gap, kRateSeconds);
    known.done = known.done * fading + seconds;
    known.busy = known.busy * fading + gap;
    ++known.ends;
  }
  known.since = now;
}

void Admission::interrupted() {
  for (auto& [name, line] : lines_) {
    line.since.reset();
  }
}

double Admission::rate_for(const Line& line, std::uint32_t priority, TimePoint now) {
  const double rate = kCaution * line.done / line.busy;
  double before = 0;
  for (const auto& [level, inflow] : line.inflows) {
    if (level < priority) {
      before += inflow.seconds / kInflowSeconds * std::exp(-in_seconds(now - inflow.at) / kInflowSeconds);
    }
  }
  return std::max(rate - before, kLeastShare * rate);
}

double Admission::caution_for(const Line& line, std::uint32_t priority, TimePoint now) {
  double highest = 1;
  for (const auto& [level, caution] : line.cautions) {
    if (level <= priority) {
      highest = std::max(highest, faded(caution, now));
    }
  }
  return highest;
}

double Admission::faded(const Caution& caution, TimePoint now) {
  const double silence = in_seconds(now - caution.at) - kSilenceSeconds;
  return 1 + (caution.factor - 1) * std::exp(-std::max(0.0, silence) / kSilenceSeconds);
}

void Admission::came_true(const std::string& line, std::uint32_t priority, double forecast, TimePoint made,
                          TimePoint now) {
  const auto found = lines_.find(line);
  if (found == lines_.end() || forecast <= 0) {
    return;
  }
  Caution& caution = found->second.cautions[priority];
  caution.factor = faded(caution, now);
  caution.at = now;
  const double error = in_seconds(now - made) / forecast;
  caution.factor *= error > caution.factor ? 1 + kStep * kKept : 1 - kStep * (1 - kKept);
  caution.factor = std::clamp(caution.factor, 1.0, kMaxCaution);
}

Admission::Forecast Admission::forecast(const std::string& line, const std::string& instance, const Rank& rank,
                                        double seconds, TimePoint now) const {
  const auto found = lines_.find(line);
  const auto graph = graphs_.find(instance);
  if (found == lines_.end() || graph == graphs_.end() || found->second.ends < kLeastEnds || found->second.busy <= 0) {
    return {};
  }
  const double rate = rate_for(found->second, rank.priority, now);
  const double stay = graph->second.stay.value;
  const double caution = caution_for(found->second, rank.priority, now);
  const Place own = place_of(rank);
  double before = 0;
  double ahead = 0;
  double worst = 0;
  for (const auto& [place, waiting] : found->second.places) {
    if (place.priority > own.priority) {
      break;
    }
    before += waiting.seconds;
    if (place <= own) {
      ahead = before;
      continue;
    }
    // One behind it: in time without it, and not with it.
    const double left = in_seconds(place.deadline * kQuantum - now.time_since_epoch());
    if (!place.is_late && caution * (before / rate + stay) <= left) {
      worst = std::max(worst, caution * ((before + seconds) / rate + stay) - left);
    }
  }
  Forecast forecast;
  if (ahead > 0) {
    forecast.seconds = ahead / rate + stay;
    worst = std::max(worst, caution * forecast.seconds - in_seconds(rank.deadline - now));
  }
  if (worst > 0) {
    forecast.late = duration_of(worst);
  }
  return forecast;
}

}  // namespace shoal::schedule
