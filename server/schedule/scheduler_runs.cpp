// The scheduler's jobs: in, joined into runs, out again.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/schedule/offer.hpp"
#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

constexpr std::size_t kMaxCosts = 1024;  // graphs per engine whose times are remembered

// Jobs that compete for the same engines, as far as their first choice says that.
std::string line_of(const Job& job) {
  return std::string(backend_name(job.candidates.front().backend)) + (job.worker ? '@' + *job.worker : std::string());
}

}  // namespace

Rank Scheduler::rank_of(const Entry& entry) {
  // Those that have aged to the end are served as they came: a deadline would let later ones go before them again.
  const std::uint32_t priority = entry.job.priority - std::min(entry.job.priority, entry.steps);
  return {priority, entry.is_late, priority == 0 ? TimePoint() : entry.job.deadline, entry.sequence, entry.job.id};
}

const std::string& Scheduler::slot_of(const Entry& entry) const {
  static const std::string kNowhere;
  return entry.run == 0 ? kNowhere : runs_.at(entry.run).slot;
}

std::size_t Scheduler::members_beside(JobId id) const {
  const auto found = jobs_.find(id);
  return found == jobs_.end() || found->second.run == 0 ? 0 : runs_.at(found->second.run).began_with - 1;
}

Status Scheduler::enqueue(Job job, TimePoint now) {
  if (job.deadline <= now) {
    return fail(Code::kDeadlineExceeded, "the deadline had passed before the request was accepted");
  }
  if (Status room = check_room(job); !room) {
    return room;
  }
  if (job.worker && !slots_.contains(*job.worker)) {
    return fail(Code::kNotFound, fmt::format("no worker '{}' in this pool", *job.worker), "shoal_worker");
  }
  if (!limits_.joins) {
    job.batch_key.clear();
  }
  // What others wait for is possible, or all of them are told by step().
  std::string group = Queue::group_of(job);
  if (!queue_.contains(group) && !offers_.has_ready(slots_, job, limits_)) {
    Placement placement = placement_of(job, {.now = now});
    if (placement.kind == Placement::Kind::kImpossible) {
      return fail(std::move(placement.error));
    }
  }
  const JobId id = job.id;
  const Candidate& first = job.candidates.front();
  const double seconds = admission_.seconds_of(first.instance, units_for(job, first));
  std::string line = line_of(job);
  Entry entry{.job = std::move(job),
              .since = now,
              .sequence = next_sequence_++,
              .group = std::move(group),
              .line = std::move(line),
              .seconds = seconds};
  if (Status time = check_time(entry, now); !time) {
    return time;
  }
  admission_.admitted(entry.line, entry.job.priority, seconds, now);
  if (entry.job.deadline != kNoDeadline) {
    deadlines_.emplace(entry.job.deadline, id);
  }
  put_back(jobs_.emplace(id, std::move(entry)).first->second);
  return {};
}

void Scheduler::put_back(Entry& entry) {
  if (entry.job.is_alone) {
    alone_.insert(entry.job.id);
  }
  queue_.insert(entry.group, rank_of(entry), entry.job.bytes);
  admission_.wait(entry.line, rank_of(entry), entry.seconds);
  if (entry.job.max_queued > 0) {
    ++waiting_[{entry.job.queue, entry.job.priority}];
  }
  if (entry.job.max_queued_bytes > 0) {
    waiting_bytes_[entry.job.queue] += entry.job.bytes;
  }
  if (!entry.was_sent && entry.job.queue_deadline != kNoDeadline && !entry.is_late) {
    queue_deadlines_.emplace(entry.job.queue_deadline, entry.job.id);
  }
  if (limits_.ageing > Duration::zero() && entry.steps < entry.job.priority) {
    next_steps_.emplace(entry.since + limits_.ageing * (entry.steps + 1), entry.job.id);
  }
}

void Scheduler::leave_queue(Entry& entry) {
  queue_.erase(entry.group, rank_of(entry), entry.job.bytes);
  admission_.leave(entry.line, rank_of(entry), entry.seconds);
  if (entry.job.max_queued > 0) {
    const auto waiting = waiting_.find({entry.job.queue, entry.job.priority});
    if (--waiting->second == 0) {
      waiting_.erase(waiting);
    }
  }
  if (const auto bytes = waiting_bytes_.find(entry.job.queue); entry.job.max_queued_bytes > 0) {
    bytes->second -= entry.job.bytes;
    if (bytes->second == 0) {
      waiting_bytes_.erase(bytes);
    }
  }
  queue_deadlines_.erase({entry.job.queue_deadline, entry.job.id});
  next_steps_.erase({entry.since + limits_.ageing * (entry.steps + 1), entry.job.id});
}

void Scheduler::age(TimePoint now) {
  while (!next_steps_.empty() && next_steps_.begin()->first <= now) {
    Entry& entry = jobs_.at(next_steps_.begin()->second);
    leave_queue(entry);
    ++entry.steps;
    put_back(entry);
  }
}

void Scheduler::expire_queued(TimePoint now, std::vector<Action>& actions) {
  while (!queue_deadlines_.empty() && queue_deadlines_.begin()->first <= now) {
    const JobId id = queue_deadlines_.begin()->second;
    Entry& entry = jobs_.at(id);
    if (entry.job.delays) {
      leave_queue(entry);
      entry.is_late = true;
      put_back(entry);
      continue;
    }
    actions.push_back({Action::Kind::kFail,
                       id,
                       {},
                       {},
                       {},
                       Error{Code::kUnavailable,
                             "Request timeout expired: it was not sent within its model's queue "
                             "timeout",
                             {}}});
    remove(id);
  }
}

void Scheduler::leave_run(Entry& entry, std::optional<TimePoint> ended) {
  const auto found = runs_.find(std::exchange(entry.run, 0));
  Run& run = found->second;
  if (ended) {
    if (entry.sequence >= calm_since_) {
      admission_.came_true(entry.line, entry.job.priority, entry.forecast, entry.since, *ended);
    }
    admission_.ended(entry.line, run.candidate.instance, entry.seconds, *ended - run.sent, *ended);
  }
  admission_.stopped(entry.line);
  if (--run.members > 0) {
    return;
  }
  const Run last = std::move(run);
  runs_.erase(found);
  Slot* slot = change_known(last.slot);
  if (slot == nullptr) {
    return;
  }
  Engine& engine = slot->engines[last.candidate.backend];
  const auto instance = engine.instances.find(last.candidate.instance);
  // After slot_down() there is nothing left to count.
  if (instance == engine.instances.end() || instance->second.in_flight == 0) {
    return;
  }
  --instance->second.in_flight;
  --engine.in_flight;
  engine.ahead -= last.expected;
  engine.free_at = ended ? *ended + engine.ahead : engine.free_at - last.expected;
  if (ended) {
    if (std::exchange(instance->second.has_run, true)) {
      measure(last, engine, *ended);
    }
    if (last.candidate.together == 0) {
      engine.idle_since = *ended;
    }
  }
}

// An engine does one run at a time: what was sent while another was there began when that one ended. Not so those that
// share their steps.
void Scheduler::measure(const Run& run, Engine& engine, TimePoint now) {
  if (engine.costs.size() >= kMaxCosts && !engine.costs.contains(run.candidate.instance)) {
    engine.costs.erase(engine.costs.begin());
  }
  const Duration took = now - (run.candidate.together > 0 ? run.sent : std::max(run.sent, engine.idle_since));
  engine.costs[run.candidate.instance].add(run.units, took);
  admission_.measured(run.candidate.instance, run.units, took);
}

void Scheduler::remove(JobId id, std::optional<TimePoint> finished) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) {
    return;
  }
  Entry& entry = found->second;
  if (entry.run == 0) {
    leave_queue(entry);
  } else {
    leave_run(entry, finished);
  }
  deadlines_.erase({entry.job.deadline, id});
  alone_.erase(id);
  jobs_.erase(found);
}

void Scheduler::finished(JobId id, std::optional<TimePoint> now) { remove(id, now); }

Status Scheduler::retry(JobId id, const std::string& reason, bool is_alone) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.run == 0) {
    return fail(Code::kInternal, "a job was retried that was not running");
  }
  Entry& entry = found->second;
  const Run& run = runs_.at(entry.run);
  if (entry.attempts >= limits_.max_attempts) {
    Error error{
        Code::kWorkerLost,
        fmt::format("the worker was lost on each of {} attempts; last on '{}': {}", entry.attempts, run.slot, reason),
        {}};
    remove(id);
    return fail(std::move(error));
  }
  if (run.began_with > 1) {
    entry.job.batch_key.clear();
  }
  leave_run(entry, {});
  entry.job.is_alone = entry.job.is_alone || is_alone;
  entry.group = Queue::group_of(entry.job);
  put_back(entry);
  return {};
}

void Scheduler::run_singly(JobId id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.run == 0) {
    return;
  }
  Entry& entry = found->second;
  leave_run(entry, {});
  --entry.attempts;
  entry.job.batch_key.clear();
  entry.group = Queue::group_of(entry.job);
  put_back(entry);
}

std::optional<std::string> Scheduler::cancel(JobId id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) {
    return std::nullopt;
  }
  std::string slot = slot_of(found->second);
  remove(id);
  return slot;
}

void Scheduler::serve(const Queue::Head& head, TimePoint now, std::vector<Action>& actions) {
  const JobId id = head.rank.job;
  const Job& job = jobs_.at(id).job;
  const Placement placement = placement_of(job, {.now = now, .waiting = head.group->size()});
  Action action{.kind = Action::Kind::kRun,
                .job = id,
                .slot = placement.slot,
                .candidate = placement.candidate,
                .fallback_from = placement.fallback_from,
                .error = {}};
  switch (placement.kind) {
    case Placement::Kind::kWait:
      // Else it would wait for as long as others come.
      if ((job.is_alone && !placement.slot.empty()) ||
          (placement.needs_room && may_disturb(slots_[placement.slot], now))) {
        reserve(placement.slot);
      }
      if (placement.again) {
        look_again(*placement.again);
      }
      return;
    case Placement::Kind::kImpossible:
      action.kind = Action::Kind::kFail;
      action.error = placement.error;
      remove(id);
      break;
    case Placement::Kind::kLoad:
      if (!placement.evicted.empty() && is_wanted(placement.evicted) && !may_disturb(slots_[placement.slot], now)) {
        return;
      }
      action.kind = Action::Kind::kLoad;
      for (const Candidate& evicted : placement.evicted) {
        change(placement.slot).engines[evicted.backend].instances.erase(evicted.instance);
        Action unload = action;
        unload.kind = Action::Kind::kUnload;
        unload.candidate = evicted;
        actions.push_back(std::move(unload));
      }
      instance_loading(placement.slot, placement.candidate, now);
      break;
    case Placement::Kind::kRun:
      start_run(head, placement, now, std::move(action), actions);
      return;
  }
  actions.push_back(std::move(action));
}

// What a run there may take, so that an urgent job that comes next does not find too much before it.
Duration Scheduler::room_behind(const Engine& engine, const Candidate& candidate, TimePoint now) const {
  if (limits_.max_batch_time == Duration::zero() || engine.in_flight < candidate.at_once || candidate.together > 0) {
    return limits_.max_batch_time;
  }
  constexpr Duration kLeast{1};
  return std::max(kLeast, limits_.max_batch_time - std::max(Duration::zero(), engine.free_at - now));
}

void Scheduler::start_run(const Queue::Head& head, const Placement& placement, TimePoint now, Action action,
                          std::vector<Action>& actions) {
  Slot& slot = change(placement.slot);
  Engine& engine = slot.engines[placement.candidate.backend];
  const auto cost_of = [&engine](const Candidate& candidate) -> const Cost* {
    const auto found = engine.costs.find(candidate.instance);
    return found == engine.costs.end() ? nullptr : &found->second;
  };
  const Job& first = jobs_.at(action.job).job;
  const Duration max_time = room_behind(engine, placement.candidate, now);
  if (placement.candidate.larger != nullptr && !first.batch_key.empty()) {
    const auto rows = static_cast<std::uint32_t>(std::min<std::size_t>(head.group->size(), first.batching->max_rows));
    action.candidate = best_size(placement.candidate, rows, max_time, [&](const Candidate& candidate) {
      const auto instance = engine.instances.find(candidate.instance);
      return Loaded{
          .is_ready = instance != engine.instances.end() && instance->second.kind == InstanceState::Kind::kReady,
          .cost = cost_of(candidate)};
    });
    load_larger(action, placement, rows, now, actions);
  }
  const Batch batch = form_batch(
      *head.group,
      [this](JobId id) {
        const Entry& entry = jobs_.at(id);
        return Waiting{&entry.job, entry.since};
      },
      {.max_rows = action.candidate.rows, .cost = cost_of(action.candidate), .max_time = max_time}, now);
  if (batch.held_until) {
    look_again(*batch.held_until);
    return;
  }
  const std::uint64_t run = next_run_++;
  const auto members = static_cast<std::uint32_t>(batch.members.size());
  const Cost* cost = cost_of(action.candidate);
  // Others do not wait for those that share their steps.
  const Duration expected = cost == nullptr || action.candidate.together > 0
                                ? Duration()
                                : cost->expected(batch.units).value_or(Duration()) / action.candidate.at_once;
  runs_.emplace(run, Run{.slot = placement.slot,
                         .candidate = action.candidate,
                         .sent = now,
                         .units = batch.units,
                         .members = members,
                         .began_with = members,
                         .expected = expected});
  ++engine.in_flight;
  engine.ahead += expected;
  engine.free_at = std::max(engine.free_at, now) + expected;
  if (first.is_alone) {
    reserve(placement.slot);
  }
  InstanceState& instance = engine.instances[action.candidate.instance];
  instance.last_used = now;
  instance.together = action.candidate.together;
  ++instance.in_flight;
  instance.prefixes.add(first.prefix);
  for (const JobId id : batch.members) {
    Entry& entry = jobs_.at(id);
    leave_queue(entry);
    admission_.started(entry.line, now);
    entry.run = run;
    entry.was_sent = true;
    ++entry.attempts;
  }
  action.members = batch.members;
  actions.push_back(std::move(action));
}

}  // namespace shoal::schedule
