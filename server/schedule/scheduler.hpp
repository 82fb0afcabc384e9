// Which job runs where and when. Pure: state changes come in by calls, time comes in as `now`, and step() returns what
// to do. Owned by the dispatcher; main lane. Invariants: every job that enqueue() accepted leaves by exactly one of
// finished(), cancel() or a kFail action; no job is started after its deadline; in_flight never exceeds its limit.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "server/schedule/job.hpp"
#include "server/schedule/placement.hpp"

namespace shoal::schedule {

class Scheduler {
 public:
  explicit Scheduler(SchedulerLimits limits);

  // A slot of the configuration and the backends it is allowed to use. Jobs wait for it before its first hello.
  void slot_configured(const std::string& slot, const std::vector<Backend>& allowed);
  // A browser said hello: what is usable, and why the rest is not.
  void slot_up(const std::string& slot, const std::vector<Backend>& usable,
               const std::map<Backend, std::string>& why_not, Tier tier = Tier::kTrusted);
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

  void instance_loading(const std::string& slot, const Candidate& candidate, TimePoint now);
  void instance_ready(const std::string& slot, const Candidate& candidate, LoadReport report, TimePoint now);
  void instance_failed(const std::string& slot, const Candidate& candidate, Error error, TimePoint now);

  // kOverloaded when a bound is reached, kDeadlineExceeded when it is too late already, kBackendUnavailable when no
  // slot can ever run it.
  Status enqueue(Job job, TimePoint now);
  void finished(JobId id);
  // The worker of a running job was lost: queued again in its old place, to run alone when `is_alone`, or refused with
  // kWorkerLost.
  Status retry(JobId id, const std::string& reason, bool is_alone = false);
  // Removes the job; the slot it was running on, or an empty string when it was queued. Nothing when it is unknown.
  std::optional<std::string> cancel(JobId id);

  std::vector<Action> step(TimePoint now);
  // When step() must be called again although nothing else happens.
  [[nodiscard]] std::optional<TimePoint> next_wakeup() const;

  // What waits for each group of slots, in their order. Of the first kMaxBacklog queued jobs: more make no difference.
  static constexpr std::size_t kMaxBacklog = 4096;
  [[nodiscard]] std::vector<Backlog> backlog(const std::vector<std::vector<std::string>>& groups) const;

  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  [[nodiscard]] std::size_t running() const { return jobs_.size() - queue_.size(); }
  [[nodiscard]] const Slots& slots() const { return slots_; }

 private:
  struct Entry {
    Job job;
    std::uint64_t sequence = 0;
    std::uint32_t attempts = 0;
    std::string slot;  // running there; empty = queued
    Candidate candidate;
  };
  // Priority, then earliest deadline, then arrival.
  using Rank = std::tuple<std::uint32_t, TimePoint, std::uint64_t, JobId>;

  static Rank rank_of(const Entry& entry);
  void leave_engine(const Entry& entry);
  void expire(TimePoint now, std::vector<Action>& actions);
  void time_out_loads(TimePoint now, std::vector<Action>& actions);
  void reserve();
  void unload_surplus(std::vector<Action>& actions);
  void remove(JobId id);

  SchedulerLimits limits_;
  Slots slots_;
  std::map<JobId, Entry> jobs_;
  std::set<Rank> queue_;
  std::set<std::pair<TimePoint, JobId>> deadlines_;
  std::set<JobId> alone_;  // those of jobs_ that run alone
  std::uint64_t queued_bytes_ = 0;
  std::uint64_t next_sequence_ = 1;
};

}  // namespace shoal::schedule
