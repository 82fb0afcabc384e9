// The echo backend: a worker inside the server that gives inputs back as outputs (core/echo.hpp). It stands where a
// browser stands, behind the same queue and scheduler. Exists only where echo.workers says so. Main lane.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "server/core/echo_sums.hpp"
#include "server/pool/worker.hpp"

namespace shoal::pool {

class EchoWorker final : public Worker {
 public:
  // `slot`: "echo/0", "echo/1", ...
  EchoWorker(boost::asio::any_io_executor main, std::string slot);
  ~EchoWorker() override;

  [[nodiscard]] const WorkerState& state() const override { return state_; }
  // kInvalidArgument for a graph: it takes echoes only.
  std::uint64_t load(LoadSpec spec, std::function<void(Result<LoadOutcome>)> done) override;
  // kInternal when the instance is not loaded.
  std::uint64_t run(RunSpec spec, std::function<void(Result<RunOutcome>)> done) override;
  void unload(const std::string& instance) override;
  void cancel(std::uint64_t work_id) override;

 private:
  struct Instance {
    Echo echo;
    std::uint32_t busy = 0;
    std::deque<std::uint64_t> waiting = {};  // runs
  };
  struct Run {
    RunSpec spec;
    std::function<void(Result<RunOutcome>)> done;
    TimePoint accepted;
    TimePoint started = {};
    std::unique_ptr<boost::asio::steady_timer> timer = {};  // of one that takes a while
    bool is_started = false;
    std::uint32_t given = 0;                   // responses, without the last one
    std::optional<TimePoint> held_since = {};  // its reader has not asked for the next one
    Duration held = {};
  };
  void start(std::uint64_t work_id, Run& run, Instance& instance);
  // Calls `next` with the run after a while, if it is still there.
  void after(Duration wait, std::uint64_t work_id, Run& run, void (EchoWorker::*next)(std::uint64_t));
  void respond(std::uint64_t work_id);
  void give(std::uint64_t work_id, Run& run, RunOutcome outcome);
  void go_on(std::uint64_t work_id, std::uint32_t given);
  void end_held(std::uint64_t work_id);
  // Frees its place for the next one.
  Run take(std::uint64_t work_id);
  template <class Outcome>
  void post(std::function<void(Result<Outcome>)> done, Result<Outcome> outcome);

  boost::asio::any_io_executor main_;
  WorkerState state_;
  std::map<std::string, Instance> instances_;
  std::map<std::uint64_t, Run> runs_;
  EchoSums sums_;
  std::uint64_t next_work_ = 1;
  std::shared_ptr<EchoWorker*> alive_;  // posted handlers look here before they touch this
};

}  // namespace shoal::pool
