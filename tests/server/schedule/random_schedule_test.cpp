// Random traffic, joined runs, failures, losses and cancels against the scheduler in virtual time, and what must hold
// whatever happens; the seed of a failing run is printed.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <tuple>

#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::milliseconds;

class World {
 public:
  explicit World(std::uint32_t seed) : random_(seed) {
    for (const std::string& slot : slots_) {
      scheduler_.slot_configured(slot, {Backend::kWasm, Backend::kWebnn});
    }
  }

  void run(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      now_ += milliseconds(pick(20));
      random_event();
      apply();
      check();
    }
    for (const std::string& slot : slots_) {
      scheduler_.set_intake(slot, Intake::kOpen);
      scheduler_.set_duty(slot, Duty::kServing);
    }
    for (int round = 0; round < 2000 && !open_.empty(); ++round) {
      now_ += milliseconds(100);
      bring_up_all();
      finish_one();
      apply();
    }
    EXPECT_TRUE(open_.empty()) << open_.size() << " jobs were never answered";
    EXPECT_EQ(scheduler_.queued() + scheduler_.running(), 0U);
  }

 private:
  std::uint32_t pick(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
  }
  const std::string& any_slot() { return slots_[pick(static_cast<std::uint32_t>(slots_.size()))]; }
  // Fixed shapes on WebNN: a row, or four of them in another graph.
  static Candidate candidate(Backend backend, std::uint32_t model) {
    const std::string name = std::to_string(model) + "@" + std::string(backend_name(backend));
    if (backend != Backend::kWebnn) {
      return {backend, name};
    }
    return {
        backend, name, 0, 1,
        std::make_shared<const std::vector<Candidate>>(std::vector<Candidate>{Candidate{backend, name + "[4]", 0, 4}})};
  }

  void answer(JobId id) {
    EXPECT_EQ(open_.erase(id), 1U) << "job " << id << " was answered twice or never accepted";
    leave(id);
  }
  void leave(JobId id) {
    const auto found = running_.find(id);
    if (found == running_.end()) {
      return;
    }
    const auto run = runs_.find(found->second);
    running_.erase(found);
    if (run->second.members.erase(id) == 1 && run->second.members.empty()) {
      runs_.erase(run);
    }
  }

  Job random_job() {
    const std::uint32_t model = pick(3);
    Job job{.id = next_id_++,
            .candidates = {candidate(pick(2) == 0 ? Backend::kWasm : Backend::kWebnn, model)},
            .worker = {},
            .priority = 1 + pick(3),
            .deadline = now_ + milliseconds(1 + pick(3000)),
            .bytes = pick(100)};
    if (pick(3) > 0) {
      job.batch_key = std::to_string(model) + (pick(4) == 0 ? "x" : "y");
      job.batching = policies_[pick(static_cast<std::uint32_t>(policies_.size()))];
      job.rows = job.candidates[0].rows == 1 ? 1 : 1 + pick(3);
      job.length = job.batch_key.ends_with('x') ? 1 + pick(40) : 0;
    }
    if (pick(4) == 0) {
      job.queue = std::to_string(model);
      job.max_queued = 3;
    }
    if (pick(4) == 0) {
      job.queue_deadline = now_ + milliseconds(1 + pick(500));
      job.delays = pick(2) == 0;
    }
    return job;
  }

  void random_event() {
    switch (pick(11)) {
      case 0:
      case 1:
      case 2: {
        Job job = random_job();
        jobs_[job.id] = job;
        if (const JobId id = job.id; scheduler_.enqueue(std::move(job), now_)) {
          open_.insert(id);
        }
        break;
      }
      case 3:
      case 4:
        finish_one();
        break;
      case 5:
        lose(any_slot());
        break;
      case 6:
        bring_up_all();
        break;
      case 7:
        if (!open_.empty()) {
          const JobId id = *open_.begin();
          ASSERT_TRUE(scheduler_.cancel(id));
          answer(id);
        }
        break;
      case 9:
        scheduler_.set_intake(any_slot(), std::array{Intake::kOpen, Intake::kHeld, Intake::kDrained}[pick(3)]);
        break;
      case 10:
        scheduler_.set_duty(any_slot(), std::array{Duty::kServing, Duty::kSpare}[pick(2)]);
        break;
      case 8:
        if (!runs_.empty()) {
          for (const JobId id : std::set(runs_.begin()->second.members)) {
            leave(id);
            scheduler_.run_singly(id);
            singles_.insert(id);
          }
        }
        break;
    }
  }

  void finish_one() {
    if (!runs_.empty()) {
      for (const JobId id : std::set(runs_.begin()->second.members)) {
        scheduler_.finished(id, now_);
        answer(id);
      }
    }
  }

  void bring_up_all() {
    for (const std::string& slot : slots_) {
      if (up_.insert(slot).second) {
        scheduler_.slot_up(slot, {Backend::kWasm, Backend::kWebnn}, {});
      }
    }
  }

  void lose(const std::string& slot) {
    if (up_.erase(slot) == 0) {
      return;
    }
    std::vector<JobId> lost;
    for (const auto& [id, run] : running_) {
      if (runs_.at(run).slot == slot) {
        lost.push_back(id);
        if (runs_.at(run).began_with > 1) {
          singles_.insert(id);
        }
      }
    }
    for (const JobId id : lost) {
      leave(id);
      if (!scheduler_.retry(id, "lost")) {
        answer(id);
      }
    }
    scheduler_.slot_down(slot);
  }

  void apply() {
    for (bool is_moving = true; is_moving;) {
      is_moving = false;
      for (const Action& action : scheduler_.step(now_)) {
        is_moving = true;
        switch (action.kind) {
          case Action::Kind::kRun:
            start(action);
            break;
          case Action::Kind::kLoad:
            if (pick(10) == 0) {
              scheduler_.instance_failed(action.slot, action.candidate, Error{Code::kGraphBuildingError, "x", {}},
                                         now_);
            } else {
              scheduler_.instance_ready(action.slot, action.candidate, {}, now_);
            }
            break;
          case Action::Kind::kUnload:
            break;
          case Action::Kind::kFail:
            answer(action.job);
            break;
          case Action::Kind::kRecycle:
            lose(action.slot);
            break;
        }
      }
    }
  }

  void start(const Action& action) {
    EXPECT_TRUE(up_.contains(action.slot));
    ASSERT_FALSE(action.members.empty());
    EXPECT_EQ(action.members.front(), action.job);
    const Job& first = jobs_.at(action.job);
    std::uint32_t rows = 0;
    const std::uint64_t run = next_run_++;
    for (const JobId id : action.members) {
      const Job& job = jobs_.at(id);
      EXPECT_LT(now_, job.deadline) << "started after its deadline";
      EXPECT_TRUE(now_ < job.queue_deadline || job.delays || started_.contains(id))
          << "started after its queue timeout";
      EXPECT_TRUE(open_.contains(id)) << "an answered job was started";
      EXPECT_TRUE(running_.emplace(id, run).second) << "started twice";
      started_.insert(id);
      if (action.members.size() > 1) {
        EXPECT_FALSE(job.batch_key.empty());
        EXPECT_EQ(job.batch_key, first.batch_key);
        EXPECT_EQ(job.candidates[0].instance, first.candidates[0].instance);
        EXPECT_FALSE(singles_.contains(id)) << "was to run by itself";
      }
      rows += job.rows;
    }
    if (action.members.size() > 1) {
      EXPECT_LE(rows, first.batching->max_rows);
    }
    if (action.candidate.rows > 0) {
      EXPECT_LE(rows, action.candidate.rows);
    }
    runs_[run] = {action.slot, {action.members.begin(), action.members.end()}, action.members.size()};
  }

  void check() {
    EXPECT_EQ(scheduler_.running(), running_.size());
    EXPECT_EQ(scheduler_.queued() + scheduler_.running(), open_.size());
    if (pick(4) == 0) {
      check_placement();
    }
    for (const auto& [name, slot] : scheduler_.slots()) {
      for (const auto& [backend, engine] : slot.engines) {
        EXPECT_LE(engine.in_flight, 2U);
      }
    }
  }

  // What is kept from one placement to the next is what a look at every slot finds.
  void check_placement() {
    Job job = random_job();
    job.candidates.push_back(candidate(Backend::kWasm, pick(3)));
    const Placement kept = scheduler_.placement_of(job);
    const Placement found = place(scheduler_.slots(), job, limits_);
    EXPECT_EQ(kept.kind, found.kind);
    EXPECT_EQ(kept.slot, found.slot);
    EXPECT_EQ(kept.candidate.instance, found.candidate.instance);
    EXPECT_EQ(kept.error.message, found.error.message);
  }

  const std::vector<std::string> slots_ = {"a/0", "a/1", "b/0"};
  std::mt19937 random_;
  const SchedulerLimits limits_{.max_queued = 20, .max_instances = 3, .ageing = milliseconds(200)};
  Scheduler scheduler_{limits_};
  TimePoint now_{};
  JobId next_id_ = 1;
  std::set<JobId> open_;
  struct Run {
    std::string slot;
    std::set<JobId> members;
    std::size_t began_with = 0;
  };
  const std::vector<std::shared_ptr<const BatchPolicy>> policies_ = {
      std::make_shared<const BatchPolicy>(BatchPolicy{.max_rows = 4, .joins_unmeasured = true}),
      std::make_shared<const BatchPolicy>(
          BatchPolicy{.max_rows = 8, .preferred = {2, 4}, .max_delay = milliseconds(50)})};
  std::map<std::uint64_t, Run> runs_;
  std::map<JobId, std::uint64_t> running_;
  std::map<JobId, Job> jobs_;
  std::set<JobId> started_;
  std::set<JobId> singles_;
  std::uint64_t next_run_ = 1;
  std::set<std::string> up_;
};

TEST(RandomSchedule, NothingIsLostOrAnsweredTwice) {
  for (std::uint32_t seed = 1; seed <= 10'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World(seed).run(60);
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

// More work than one engine can do, most of it urgent: whoever was accepted starts within the steps of ageing and the
// time that those before it take.
TEST(RandomSchedule, AgeingBoundsTheWait) {
  constexpr std::size_t kQueue = 20;
  constexpr Duration kAgeing = milliseconds(100);
  constexpr Duration kService = milliseconds(5);
  const Candidate graph{Backend::kWasm, "m"};
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Scheduler scheduler{SchedulerLimits{.max_queued = kQueue, .max_in_flight = 1, .ageing = kAgeing}};
    scheduler.slot_configured("a/0", {Backend::kWasm});
    scheduler.slot_up("a/0", {Backend::kWasm}, {});
    scheduler.instance_ready("a/0", graph, {}, TimePoint());
    std::map<JobId, TimePoint> since;
    Duration longest{};
    JobId running = 0;
    JobId next = 1;
    for (TimePoint now; now < TimePoint() + std::chrono::seconds(2); now += kService) {
      for (int count = 0; count < 2; ++count) {
        Job job{.id = next++, .candidates = {graph}, .worker = {}, .priority = random() % 10 == 0 ? 3U : 1U};
        job.deadline = now + std::chrono::hours(1) - milliseconds(random() % 1000) * static_cast<int>(next);
        since[job.id] = now;
        std::ignore = scheduler.enqueue(std::move(job), now);
      }
      if (running != 0) {
        scheduler.finished(running, now);
      }
      for (const Action& action : scheduler.step(now)) {
        ASSERT_EQ(action.kind, Action::Kind::kRun);
        running = action.job;
        longest = std::max(longest, now - since.at(running));
      }
    }
    EXPECT_LE(longest, 3 * kAgeing + static_cast<int>(kQueue) * kService);
    EXPECT_GT(longest, kAgeing) << "the load was none";
  }
}

}  // namespace
}  // namespace shoal::schedule
