// A fleet that runs what the scheduler says, in virtual time: engines of different speeds, each one run at a time.
// Checks what must always hold and keeps what the report needs.
#pragma once

#include <cstdint>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/schedule/scheduler.hpp"
#include "tests/simulation/report.hpp"
#include "tests/simulation/traffic.hpp"

namespace shoal::simulation {

struct Fleet {
  std::uint32_t workers = 1000;
  std::uint32_t models = 4;
  double fixed_ms = 4;      // of each run
  double token_ms = 0.5;    // of each token, padding included
  double speed_spread = 2;  // workers' speeds are from 1 to so much, evenly
  std::uint64_t seed = 1;
  std::uint32_t resident = 0;  // graphs that a worker has room for; 0 = all, and they are there from the start
  double load_ms = 1000;       // of a graph that is not there, on the fastest worker
  schedule::BatchPolicy batching{.max_rows = 16};
};

class World {
 public:
  World(const Fleet& fleet, schedule::SchedulerLimits limits);
  Report run(Traffic& traffic);

 private:
  struct Engine {
    double speed = 1;
    double free_at = 0;
    std::uint32_t resident = 0;  // graphs, those that are being loaded included
  };
  struct Open {
    Arrival arrival;
    bool is_running = false;
  };
  struct End {
    double at;
    std::vector<schedule::JobId> members;
    bool operator<(const End& other) const { return at > other.at; }
  };

  struct Load {
    double at;  // its end
    std::string slot;
    schedule::Candidate candidate;
    bool operator<(const Load& other) const { return at > other.at; }
  };

  void arrive(const Arrival& arrival);
  void end_load();
  void begin_load(const schedule::Action& action, double now);
  void end(const End& end);
  void step(double now);
  void start(const schedule::Action& action, double now);
  void violate(std::string what);

  Fleet fleet_;
  schedule::SchedulerLimits limits_;
  schedule::Scheduler scheduler_;
  std::unordered_map<std::string, Engine> engines_;
  std::vector<schedule::Candidate> candidates_;
  std::shared_ptr<const schedule::BatchPolicy> batching_;
  std::unordered_map<schedule::JobId, Open> open_;
  std::priority_queue<End> ends_;
  std::priority_queue<Load> loads_;
  schedule::JobId next_ = 1;
  Report report_;
};

}  // namespace shoal::simulation
