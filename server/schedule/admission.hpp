// Whether a job that comes now would end in time, by what is served before it and how fast such work goes: so that one
// that would come too late is told at once, instead of taking a worker's time from those that would not. Pure.
//
// Jobs that compete for the same engines wait in one line, in the order of service: priority, then deadline. Of each
// is known what it takes of an engine by itself, in seconds; how many such seconds go by in a second of time (more
// than there are engines where jobs are joined) is measured while others wait, and part of it is left for jobs of
// higher priority that are still to come. Where nothing is known, or nobody waits, every job is let in.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "server/core/clock.hpp"
#include "server/schedule/cost.hpp"
#include "server/schedule/queue.hpp"

namespace shoal::schedule {

class Admission {
 public:
  // What a run of the graph for so many units takes, in seconds, by runs of it on any engine; 0 where nobody knows.
  [[nodiscard]] double seconds_of(const std::string& instance, double units) const;
  // A run of so many units took `time` of its engine.
  void measured(const std::string& instance, double units, Duration time);

  // A job of so many seconds waits in the line at its rank, and waits no more.
  void wait(const std::string& line, const Rank& rank, double seconds);
  void leave(const std::string& line, const Rank& rank, double seconds);
  // A job that was let in, at its own priority.
  void admitted(const std::string& line, std::uint32_t priority, double seconds, TimePoint now);
  // A job of the line runs, and runs no more.
  void started(const std::string& line, TimePoint now);
  void stopped(const std::string& line);
  // A job that runs has ended, `stay` after it was sent: what was before it at its worker included.
  void ended(const std::string& line, const std::string& instance, double seconds, Duration stay, TimePoint now);
  // Nothing ends for reasons of its own: a worker was lost. What passes until the next end says nothing.
  void interrupted();

  struct Forecast {
    double seconds = 0;              // from now to its end; 0 = nothing is known, or nobody is served before it
    std::optional<Duration> late{};  // by how much it would come too late, or make another one of its priority do so
  };
  [[nodiscard]] Forecast forecast(const std::string& line, const std::string& instance, const Rank& rank,
                                  double seconds, TimePoint now) const;
  // What became of a forecast of so many seconds, made for a job of this priority: it has ended now.
  void came_true(const std::string& line, std::uint32_t priority, double forecast, TimePoint made, TimePoint now);

 private:
  // Deadlines that are close to each other share a place: a line has hundreds of places however many jobs wait.
  struct Place {
    std::uint32_t priority = 0;
    bool is_late = false;
    std::int64_t deadline = 0;  // in kQuantum
    auto operator<=>(const Place&) const = default;
  };
  struct Waiting {
    double seconds = 0;
    std::uint64_t jobs = 0;
  };
  struct Inflow {
    double seconds = 0;  // fading
    TimePoint at;
  };
  struct Mean {  // of late
    double value = 0;
    double weight = 0;
    std::optional<TimePoint> at = {};
    void add(double sample, TimePoint now);
  };
  struct Caution {
    double factor = 1;
    TimePoint at;  // of the last sample
  };
  struct Line {
    std::map<Place, Waiting> places;
    std::map<std::uint32_t, Inflow> inflows;    // by priority
    std::map<std::uint32_t, Caution> cautions;  // by priority: what was real, in forecasts
    double done = 0;                            // seconds of jobs of late, within `busy` seconds of time
    double busy = 0;
    std::uint64_t ends = 0;
    std::uint64_t running = 0;
    std::optional<TimePoint> since;  // the last end, or the first start, while others waited
  };
  struct Graph {
    Cost cost;
    Mean stay;  // seconds
  };

  static Place place_of(const Rank& rank);
  static double faded(const Caution& caution, TimePoint now);
  // What forecasts for this priority have to be multiplied with, so that few are too short. Not less than for higher
  // ones: they would be refused, and lower ones take their places.
  static double caution_for(const Line& line, std::uint32_t priority, TimePoint now);
  // Seconds of work in a second of time, for jobs of this priority.
  static double rate_for(const Line& line, std::uint32_t priority, TimePoint now);

  std::map<std::string, Line> lines_;
  std::map<std::string, Graph> graphs_;
};

}  // namespace shoal::schedule
