// Which job runs where and when. Pure: state changes come in by calls, time comes in as `now`, and step() returns what
// to do. Owned by the dispatcher; main lane. Invariants: every job that enqueue() accepted leaves by exactly one of
// finished(), cancel() or a kFail action; no job is started after its deadline; in_flight never exceeds its limit;
// members of one run have the same batch_key and keep to its bounds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/schedule/admission.hpp"
#include "server/schedule/batching.hpp"
#include "server/schedule/job.hpp"
#include "server/schedule/offers.hpp"
#include "server/schedule/placement.hpp"
#include "server/schedule/prior.hpp"
#include "server/schedule/queue.hpp"

namespace shoal::schedule {

class Scheduler {
 public:
  explicit Scheduler(SchedulerLimits limits);
  // For what comes from now on; what is queued or resident beyond them stays.
  void set_limits(SchedulerLimits limits);

  // A slot of the configuration and the backends it is allowed to use. Jobs wait for it before its first hello.
  void slot_configured(const std::string& slot, const std::vector<Backend>& allowed);
  // A browser said hello: what is usable, and why the rest is not.
  void slot_up(const std::string& slot, const std::vector<Backend>& usable,
               const std::map<Backend, std::string>& why_not, Tier tier = Tier::kTrusted, const Traits& traits = {});
  // Its instances are gone. Jobs that ran there must have been given to retry() or finished() before.
  void slot_down(const std::string& slot);
  // The same, and no browser will follow in it. Jobs that demand it are answered kUnavailable.
  void slot_gone(const std::string& slot);
  // What was sent there goes on. kHeld ends by itself with the next slot_up().
  void set_intake(const std::string& slot, Intake intake);

  // Kept with the browsers that follow. One that is not kServing is given no jobs; they may wait for it.
  void set_duty(const std::string& slot, Duty duty);
  // What it is going to be able to do, of a slot that never had a browser.
  void slot_expected(const std::string& slot, const std::vector<Backend>& usable,
                     const std::map<Backend, std::string>& why_not);

  // For all graphs of the slot, its browser's successors included; 0 = no limit. Idle graphs beyond it are unloaded by
  // step().
  void set_budget(const std::string& slot, std::uint64_t bytes);
  // Of its browser: over with the next one.
  void set_pressed(const std::string& slot, bool is_pressed);

  void instance_loading(const std::string& slot, const Candidate& candidate, TimePoint now);
  void instance_ready(const std::string& slot, const Candidate& candidate, LoadReport report, TimePoint now);
  void instance_failed(const std::string& slot, const Candidate& candidate, Error error, TimePoint now);

  // Of graphs whose names begin with these: how many slots keep what they have of them, whatever else wants the memory.
  // Replaces what was said before.
  void keep(std::map<std::string, std::uint32_t> slots_by_prefix);
  static constexpr std::uint32_t kEverywhere = ~std::uint32_t{0};

  // The graph is to be loaded there ahead of requests, whatever idle ones have to go for it: these, and it counts as
  // being loaded from now on. Nothing where there is no room, or it is there already.
  std::optional<std::vector<Candidate>> fetch(const std::string& slot, const Candidate& candidate, TimePoint now);

  // Graphs whose names begin with `prefix` are wanted no more, and no job needs them. Those that are there are
  // forgotten and named with their slots; those that are being loaded are named too, and stay until that has ended.
  struct Dropped {
    std::string slot;
    Candidate candidate;
    bool is_loading = false;
  };
  std::vector<Dropped> drop(std::string_view prefix);

  // kOverloaded when a bound is reached or too much is served before it, kDeadlineExceeded when it is too late already,
  // kBackendUnavailable when no slot can ever run it.
  Status enqueue(Job job, TimePoint now);
  // A run ends with the last of its members; with `now` its time is kept as evidence of what such runs take.
  void finished(JobId id, std::optional<TimePoint> now = {});
  // The worker of a running job was lost: queued again in its old place, to run alone when `is_alone`, or refused with
  // kWorkerLost. A member of a joined run is not joined again: the next loss tells whose it was.
  Status retry(JobId id, const std::string& reason, bool is_alone = false);
  // A joined run failed, and each member may be the one that did it: queued again in its old place, to be sent by
  // itself. No attempt is counted.
  void run_singly(JobId id);
  // Removes the job; the slot it was running on, or an empty string when it was queued. Nothing when it is unknown.
  std::optional<std::string> cancel(JobId id);

  std::vector<Action> step(TimePoint now);
  // When step() must be called again although nothing else happens.
  [[nodiscard]] std::optional<TimePoint> next_wakeup() const;

  // What waits for each group of slots, in their order. Of the first kMaxBacklog queued jobs: more make no difference.
  static constexpr std::size_t kMaxBacklog = 4096;
  [[nodiscard]] std::vector<Backlog> backlog(const std::vector<std::vector<std::string>>& groups) const;
  // Where the job would have gone at the time of the last step.
  [[nodiscard]] Placement placement_of(const Job& job) const { return placement_of(job, {.now = now_}); }
  [[nodiscard]] Placement placement_of(const Job& job, const Moment& moment) const {
    return offers_.place(slots_, job, limits_, moment);
  }
  // Members of the run that the job is in, 0 when it is not running.
  [[nodiscard]] std::size_t members_beside(JobId id) const;

  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  [[nodiscard]] std::size_t running() const { return jobs_.size() - queue_.size(); }
  [[nodiscard]] const Slots& slots() const { return slots_; }

 private:
  struct Entry {
    Job job;
    TimePoint since;
    std::uint64_t sequence = 0;
    std::string group;
    std::string line;  // of admission
    std::uint32_t attempts = 0;
    std::uint64_t run = 0;    // of runs_; 0 = queued
    std::uint32_t steps = 0;  // of priority that it has gained by waiting
    double seconds = 0;       // of an engine by itself, as expected when it came
    double forecast = 0;      // seconds from then to its end
    bool is_late = false;
    bool was_sent = false;  // in time, whatever became of it
  };
  struct Run {
    std::string slot;
    Candidate candidate;
    TimePoint sent;
    double units = 0;
    std::uint32_t members = 0;  // that are still in it
    std::uint32_t began_with = 0;
    Duration expected{};  // of the engine; 0 where that is not known
  };

  static Rank rank_of(const Entry& entry);
  // Every change of a slot goes through here: what it offers is looked at again.
  Slot& change(const std::string& slot) {
    offers_.changed(slot);
    return slots_[slot];
  }
  Slot* change_known(const std::string& slot);  // nullptr: there is no such slot
  // A worker or a graph came or went: forecasts that were made before it say nothing of how good forecasts are.
  void disturb();
  Status check_room(const Job& job) const;
  // Its forecast is kept in it.
  Status check_time(Entry& entry, TimePoint now) const;
  void leave_queue(Entry& entry);
  // What time does to those that wait.
  void age(TimePoint now);
  void expire_queued(TimePoint now, std::vector<Action>& actions);
  [[nodiscard]] const std::string& slot_of(const Entry& entry) const;  // empty = queued
  void put_back(Entry& entry);
  void leave_run(Entry& entry, std::optional<TimePoint> ended);
  void measure(const Run& run, Engine& engine, TimePoint now);
  [[nodiscard]] Duration room_behind(const Engine& engine, const Candidate& candidate, TimePoint now) const;
  void serve(const Queue::Head& head, TimePoint now, std::vector<Action>& actions);
  void start_run(const Queue::Head& head, const Placement& placement, TimePoint now, Action action,
                 std::vector<Action>& actions);
  // Whether graphs may go from the slot although jobs wait for them; looked at again when they may.
  bool may_disturb(const Slot& slot, TimePoint now);
  [[nodiscard]] bool is_wanted(const std::vector<Candidate>& graphs) const;
  void look_again(TimePoint at) { look_again_ = look_again_ ? std::min(*look_again_, at) : at; }
  void assign_keepers();
  void load_larger(const Action& run, const Placement& placement, std::uint32_t rows, TimePoint now,
                   std::vector<Action>& actions);
  void expire(TimePoint now, std::vector<Action>& actions);
  void time_out_loads(TimePoint now, std::vector<Action>& actions);
  void reserve();
  void reserve(const std::string& slot);
  void unload_surplus(std::vector<Action>& actions);
  void remove(JobId id, std::optional<TimePoint> finished = {});

  SchedulerLimits limits_;
  Slots slots_;
  mutable Offers offers_;
  Admission admission_;
  std::map<JobId, Entry> jobs_;
  std::map<std::uint64_t, Run> runs_;
  Queue queue_;
  std::set<std::pair<TimePoint, JobId>> deadlines_;
  std::set<std::pair<TimePoint, JobId>> queue_deadlines_;                 // of those that wait
  std::set<std::pair<TimePoint, JobId>> next_steps_;                      // of ageing
  std::map<std::pair<std::string, std::uint32_t>, std::size_t> waiting_;  // by queue and priority, where bounded
  std::map<std::string, std::uint64_t> waiting_bytes_;                    // by queue, where bounded
  // Slots that may be in these states: a pool of hundreds is not gone through at each step.
  std::set<std::string> loading_;
  std::set<std::string> reserved_;
  std::set<std::string> trimmed_;
  std::set<JobId> alone_;                      // those of jobs_ that run alone
  std::optional<TimePoint> look_again_;        // something that waits may be decided otherwise then
  std::map<std::string, std::uint32_t> kept_;  // slots that keep graphs, by what their names begin with
  TimePoint now_{};                            // of the last step
  std::uint64_t next_sequence_ = 1;
  std::uint64_t calm_since_ = 0;  // the first job after the last disturbance, by its sequence
  std::uint64_t next_run_ = 1;
};

}  // namespace shoal::schedule
