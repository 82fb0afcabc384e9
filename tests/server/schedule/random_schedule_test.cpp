// Random traffic, losses and cancels against the scheduler in virtual time; the seed of a failing run is printed.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

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
  static Candidate candidate(Backend backend, std::uint32_t model) {
    return {backend, std::to_string(model) + "@" + std::string(backend_name(backend))};
  }

  void answer(JobId id) {
    EXPECT_EQ(open_.erase(id), 1U) << "job " << id << " was answered twice or never accepted";
    running_.erase(id);
  }

  void random_event() {
    switch (pick(8)) {
      case 0:
      case 1:
      case 2: {
        Job job{.id = next_id_++,
                .candidates = {candidate(pick(2) == 0 ? Backend::kWasm : Backend::kWebnn, pick(3))},
                .worker = {},
                .priority = 1 + pick(3),
                .deadline = now_ + milliseconds(1 + pick(3000)),
                .bytes = pick(100)};
        deadlines_[job.id] = job.deadline;
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
    }
  }

  void finish_one() {
    if (!running_.empty()) {
      const JobId id = running_.begin()->first;
      scheduler_.finished(id);
      answer(id);
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
    for (const auto& [id, where] : running_) {
      if (where == slot) {
        lost.push_back(id);
      }
    }
    for (const JobId id : lost) {
      running_.erase(id);
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
            EXPECT_TRUE(up_.contains(action.slot));
            EXPECT_LT(now_, deadlines_[action.job]) << "started after its deadline";
            EXPECT_TRUE(running_.emplace(action.job, action.slot).second);
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

  void check() {
    EXPECT_EQ(scheduler_.running(), running_.size());
    EXPECT_EQ(scheduler_.queued() + scheduler_.running(), open_.size());
    for (const auto& [name, slot] : scheduler_.slots()) {
      for (const auto& [backend, engine] : slot.engines) {
        EXPECT_LE(engine.in_flight, 2U);
      }
    }
  }

  const std::vector<std::string> slots_ = {"a/0", "a/1", "b/0"};
  std::mt19937 random_;
  Scheduler scheduler_{SchedulerLimits{.max_queued = 20, .max_instances = 2}};
  TimePoint now_{};
  JobId next_id_ = 1;
  std::set<JobId> open_;
  std::map<JobId, std::string> running_;
  std::map<JobId, TimePoint> deadlines_;
  std::set<std::string> up_;
};

TEST(RandomSchedule, NothingIsLostOrAnsweredTwice) {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World(seed).run(400);
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace shoal::schedule
