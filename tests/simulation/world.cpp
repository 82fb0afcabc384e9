#include "tests/simulation/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <random>

namespace shoal::simulation {
namespace {

constexpr std::size_t kKeptViolations = 10;

// To the nearest: a time point that became seconds becomes itself again.
TimePoint point(double seconds) {
  return TimePoint() + std::chrono::round<Duration>(std::chrono::duration<double>(seconds));
}
schedule::SchedulerLimits with_room(schedule::SchedulerLimits limits, std::uint32_t resident) {
  limits.max_instances = resident > 0 ? resident : limits.max_instances;
  return limits;
}

double seconds_of(TimePoint at) { return std::chrono::duration<double>(at.time_since_epoch()).count(); }

}  // namespace

World::World(const Fleet& fleet, schedule::SchedulerLimits limits)
    : fleet_(fleet),
      limits_(with_room(limits, fleet.resident)),
      scheduler_(limits_),
      batching_(std::make_shared<const schedule::BatchPolicy>(fleet.batching)) {
  std::mt19937_64 random(fleet.seed);
  std::uniform_real_distribution<double> speed(1, fleet.speed_spread);
  for (std::uint32_t model = 0; model < fleet.models; ++model) {
    candidates_.push_back({Backend::kWasm, fmt::format("m{}@wasm", model)});
  }
  for (std::uint32_t worker = 0; worker < fleet.workers; ++worker) {
    const std::string slot = fmt::format("w/{:04}", worker);
    engines_[slot].speed = speed(random);
    scheduler_.slot_configured(slot, {Backend::kWasm});
    scheduler_.slot_up(slot, {Backend::kWasm}, {});
    for (const schedule::Candidate& candidate : candidates_) {
      if (fleet.resident == 0) {
        scheduler_.instance_ready(slot, candidate, {}, TimePoint());
      }
    }
  }
  report_.answered_of_model.resize(fleet.models);
}

Report World::run(Traffic& traffic) {
  auto next = traffic.next();
  while (next || !open_.empty()) {
    const auto wakeup = scheduler_.next_wakeup();
    const double waking = wakeup ? seconds_of(*wakeup) : std::numeric_limits<double>::infinity();
    const double ending = ends_.empty() ? std::numeric_limits<double>::infinity() : ends_.top().at;
    const double loading = loads_.empty() ? std::numeric_limits<double>::infinity() : loads_.top().at;
    const double arriving = next ? next->at : std::numeric_limits<double>::infinity();
    const double now = std::min({waking, ending, loading, arriving});
    if (now == std::numeric_limits<double>::infinity()) {
      violate(fmt::format("{} jobs wait for nothing", open_.size()));
      break;
    }
    report_.seconds = std::max(report_.seconds, now);
    if (ending <= now) {
      const End done = ends_.top();
      ends_.pop();
      end(done);
    } else if (loading <= now) {
      end_load();
    } else if (arriving <= now) {
      arrive(*next);
      next = traffic.next();
    }
    step(report_.seconds);
  }
  if (scheduler_.queued() + scheduler_.running() > 0) {
    violate("jobs are left in the scheduler");
  }
  return std::move(report_);
}

void World::arrive(const Arrival& arrival) {
  ++report_.arrived;
  const schedule::JobId id = next_++;
  schedule::Job job{
      .id = id, .candidates = {candidates_.at(arrival.model)}, .worker = {}, .priority = arrival.priority};
  job.deadline = point(arrival.at + arrival.timeout);
  job.batch_key = candidates_[arrival.model].instance;
  job.batching = batching_;
  job.rows = arrival.rows;
  job.length = arrival.length;
  if (scheduler_.enqueue(std::move(job), point(arrival.at))) {
    open_.emplace(id, Open{arrival});
  } else {
    ++report_.refused;
  }
}

void World::end(const End& end) {
  for (const schedule::JobId id : end.members) {
    const auto open = open_.find(id);
    if (open == open_.end()) {
      continue;  // its deadline has passed meanwhile
    }
    scheduler_.finished(id, point(end.at));
    ++report_.answered;
    ++report_.answered_of_model[open->second.arrival.model];
    report_.latencies.at(std::min(open->second.arrival.priority, 3U))
        .push_back(static_cast<float>(end.at - open->second.arrival.at));
    open_.erase(open);
  }
}

void World::step(double now) {
  for (auto actions = scheduler_.step(point(now)); !actions.empty(); actions = scheduler_.step(point(now))) {
    for (const schedule::Action& action : actions) {
      if (action.kind == schedule::Action::Kind::kRun) {
        start(action, now);
      } else if (action.kind == schedule::Action::Kind::kFail) {
        const auto open = open_.find(action.job);
        if (open == open_.end()) {
          violate(fmt::format("job {} was answered twice", action.job));
          continue;
        }
        ++report_.expired_of.at(std::min(open->second.arrival.priority, 3U));
        open_.erase(open);
        ++report_.expired;
        report_.late += action.slot.empty() ? 0 : 1;
      } else if (action.kind == schedule::Action::Kind::kLoad && fleet_.resident > 0) {
        begin_load(action, now);
      } else if (action.kind == schedule::Action::Kind::kUnload && fleet_.resident > 0) {
        --engines_.at(action.slot).resident;
      } else {
        violate("an action that this fleet gives no reason for");
      }
    }
  }
}

void World::begin_load(const schedule::Action& action, double now) {
  Engine& engine = engines_.at(action.slot);
  if (++engine.resident > fleet_.resident) {
    violate(fmt::format("{} graphs on {}", engine.resident, action.slot));
  }
  const double took = engine.speed * fleet_.load_ms / 1000;
  ++report_.loads;
  report_.load_seconds += took;
  loads_.push({now + took, action.slot, action.candidate});
}

void World::end_load() {
  const Load load = loads_.top();
  loads_.pop();
  scheduler_.instance_ready(load.slot, load.candidate, {}, point(load.at));
}

void World::start(const schedule::Action& action, double now) {
  std::uint32_t rows = 0;
  std::uint32_t length = 1;
  for (const schedule::JobId id : action.members) {
    const auto open = open_.find(id);
    if (open == open_.end() || open->second.is_running) {
      violate(fmt::format("job {} was started twice, or after its answer", id));
      return;
    }
    const Arrival& arrival = open->second.arrival;
    open->second.is_running = true;
    rows += arrival.rows;
    length = std::max(length, arrival.length);
    if (point(now) >= point(arrival.at + arrival.timeout)) {
      violate(fmt::format("job {} was started after its deadline", id));
    }
    if (candidates_[arrival.model].instance != action.candidate.instance) {
      violate(fmt::format("job {} was sent to another model", id));
    }
  }
  if (action.members.size() > 1 && rows > batching_->max_rows) {
    violate(fmt::format("a run of {} rows", rows));
  }
  Engine& engine = engines_.at(action.slot);
  const double took = engine.speed * (fleet_.fixed_ms + fleet_.token_ms * rows * length) / 1000;
  engine.free_at = std::max(engine.free_at, now) + took;
  report_.busy_seconds += took;
  ++report_.runs;
  ++report_.rows[rows];
  ends_.push({engine.free_at, action.members});
}

void World::violate(std::string what) {
  if (report_.violations.size() < kKeptViolations) {
    report_.violations.push_back(std::move(what));
  }
}

}  // namespace shoal::simulation
