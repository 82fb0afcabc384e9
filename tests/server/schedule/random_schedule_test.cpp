// Random traffic, joined runs, failures, losses and cancels against the scheduler in virtual time, and what must hold
// whatever happens; the seed of a failing run is printed.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "server/schedule/residency.hpp"
#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::milliseconds;

class World {
 public:
  explicit World(std::uint32_t seed) : random_(seed) {
    for (const std::string& slot : slots_) {
      scheduler_.slot_configured(slot, {Backend::kWasm, Backend::kWebnn});
      scheduler_.set_budget(slot, kBudget);
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
    scheduler_.keep({});
    for (int round = 0; round < 2000 && !open_.empty(); ++round) {
      now_ += milliseconds(100);
      bring_up_all();
      finish_one();
      end_load();
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
    const std::uint64_t bytes = 20 + 10 * model;
    Candidate made{backend, name, bytes};
    made.max_workers = model == 2 ? kWorkersOfTwo : 0;
    if (backend == Backend::kWebnn) {
      made.rows = 1;
      made.larger = std::make_shared<const std::vector<Candidate>>(
          std::vector<Candidate>{Candidate{backend, name + "[4]", bytes, 4}});
    }
    return made;
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
    if (pick(4) == 0) {
      // The order is a guess: webnn where it is worth it, else wasm.
      job.candidates = {candidate(Backend::kWebnn, model), candidate(Backend::kWasm, model)};
      job.candidates.front().is_prior = true;
      job.is_guess = true;
    }
    if (pick(3) > 0) {
      job.batch_key = std::to_string(model) + (pick(4) == 0 ? "x" : "y");
      job.batching = policies_[pick(static_cast<std::uint32_t>(policies_.size()))];
      job.rows = job.candidates[0].rows == 1 ? 1 : 1 + pick(3);
      job.length = job.batch_key.ends_with('x') ? 1 + pick(40) : 0;
    }
    if (pick(4) == 0) {
      job.queue = std::to_string(model);
      job.max_queued = 3;
      job.max_queued_bytes = 200;
    }
    if (pick(4) == 0) {
      job.queue_deadline = now_ + milliseconds(1 + pick(500));
      job.delays = pick(2) == 0;
    }
    return job;
  }

  void random_event() {
    switch (pick(14)) {
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
      case 11:
        scheduler_.keep(pick(2) == 0
                            ? std::map<std::string, std::uint32_t>()
                            : std::map<std::string, std::uint32_t>{{std::to_string(pick(3)) + "@", 1 + pick(3)}});
        break;
      case 12:
        end_load();
        break;
      case 13:
        if (const std::string& slot = any_slot(); up_.contains(slot)) {
          const Candidate wanted = candidate(Backend::kWasm, pick(3));
          note_kept();
          if (const auto evicted = scheduler_.fetch(slot, wanted, now_)) {
            loads_.emplace_back(slot, wanted);
            for (const Candidate& gone : *evicted) {
              EXPECT_FALSE(kept_.contains({slot, gone.instance})) << "it was to be kept";
            }
          }
        }
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
        const Traits traits{.browser = BrowserEngine::kChromium,
                            .has_hardware = pick(2) == 0,
                            .gflops = {{Backend::kWasm, 10}, {Backend::kWebnn, 20}}};
        scheduler_.slot_up(slot, {Backend::kWasm, Backend::kWebnn}, {}, Tier::kTrusted, traits);
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
    std::erase_if(loads_, [&](const auto& load) { return load.first == slot; });
    scheduler_.slot_down(slot);
  }

  // The load that was asked for first has ended.
  void end_load() {
    if (loads_.empty()) {
      return;
    }
    const auto [slot, graph] = loads_.front();
    loads_.pop_front();
    if (pick(10) == 0) {
      scheduler_.instance_failed(slot, graph, Error{Code::kGraphBuildingError, "x", {}}, now_);
    } else {
      scheduler_.instance_ready(slot, graph, {}, now_);
    }
  }

  void note_kept() {
    kept_.clear();
    for (const auto& [name, slot] : scheduler_.slots()) {
      for (const auto& [backend, engine] : slot.engines) {
        for (const auto& [instance, state] : engine.instances) {
          if (state.is_kept) {
            kept_.emplace(name, instance);
          }
        }
      }
    }
  }

  void apply() {
    note_kept();
    for (bool is_moving = true; is_moving;) {
      is_moving = false;
      for (const Action& action : scheduler_.step(now_)) {
        is_moving = true;
        switch (action.kind) {
          case Action::Kind::kRun:
            start(action);
            break;
          case Action::Kind::kLoad:
            EXPECT_TRUE(up_.contains(action.slot));
            loads_.emplace_back(action.slot, action.candidate);
            if (pick(2) == 0) {
              end_load();
            }
            break;
          case Action::Kind::kUnload:
            EXPECT_FALSE(kept_.contains({action.slot, action.candidate.instance})) << "it was to be kept";
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
      EXPECT_LE(resident_bytes(slot), kBudget) << name;
      for (const auto& [backend, engine] : slot.engines) {
        EXPECT_LE(engine.in_flight, 2U);
        EXPECT_LE(engine.instances.size(), limits_.max_instances);
        EXPECT_GE(engine.ahead, Duration::zero());
        for (const auto& [instance, state] : engine.instances) {
          EXPECT_TRUE(!state.is_kept || state.kind == InstanceState::Kind::kReady);
        }
      }
    }
  }

  // What is kept from one placement to the next is what a look at every slot finds.
  void check_placement() {
    Job job = random_job();
    job.candidates.push_back(candidate(Backend::kWasm, pick(3)));
    const Moment moment{.now = now_, .waiting = 1 + pick(20)};
    const Placement kept = scheduler_.placement_of(job, moment);
    const Placement found = place(scheduler_.slots(), job, limits_, moment);
    EXPECT_EQ(kept.kind, found.kind);
    EXPECT_EQ(kept.slot, found.slot);
    EXPECT_EQ(kept.candidate.instance, found.candidate.instance);
    EXPECT_EQ(kept.error.message, found.error.message);
  }

  static constexpr std::uint64_t kBudget = 100;
  static constexpr std::uint32_t kWorkersOfTwo = 2;
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
  std::deque<std::pair<std::string, Candidate>> loads_;  // under way, the first that was asked for first
  std::set<std::pair<std::string, std::string>> kept_;   // slot and graph, before the last step
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

}  // namespace
}  // namespace shoal::schedule
