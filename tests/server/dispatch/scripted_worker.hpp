// A worker for tests of the dispatcher.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "server/pool/worker.hpp"

namespace shoal::dispatch {

// Records what it is told; the test answers in its place.
class ScriptedWorker : public pool::Worker {
 public:
  ScriptedWorker(std::string slot, std::vector<Backend> backends) {
    state_.slot = std::move(slot);
    state_.backends = std::move(backends);
    state_.adapter = "software";
  }
  const pool::WorkerState& state() const override { return state_; }
  std::uint64_t load(pool::LoadSpec spec, std::function<void(Result<pool::LoadOutcome>)> done) override {
    loads.emplace_back(std::move(spec), std::move(done));
    return ++last_id_;
  }
  std::uint64_t run(pool::RunSpec spec, std::function<void(Result<pool::RunOutcome>)> done) override {
    runs.emplace_back(std::move(spec), std::move(done));
    return ++last_id_;
  }
  void unload(const std::string& instance) override { unloaded.push_back(instance); }
  void cancel(std::uint64_t work_id) override { cancelled.push_back(work_id); }

  std::vector<std::pair<pool::LoadSpec, std::function<void(Result<pool::LoadOutcome>)>>> loads;
  std::vector<std::pair<pool::RunSpec, std::function<void(Result<pool::RunOutcome>)>>> runs;
  std::vector<std::string> unloaded;
  std::vector<std::uint64_t> cancelled;

 protected:
  pool::WorkerState state_;

 private:
  std::uint64_t last_id_ = 0;
};

class ScriptedDevice final : public ScriptedWorker {
 public:
  ScriptedDevice(std::string slot, Tier tier) : ScriptedWorker(std::move(slot), {Backend::kWasm}) {
    state_.tier = tier;
    state_.is_device = true;
    state_.memory_budget = std::uint64_t{1} << 30;
  }
};

}  // namespace shoal::dispatch
