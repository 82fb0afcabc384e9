// Threads for the engine. The caller works too, so a pool of one has no thread of its own. One run at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/core/parallel.hpp"

namespace shoal::app {

class ThreadPool final : public Parallel {
 public:
  // At least one lane.
  explicit ThreadPool(std::uint32_t lanes);
  ~ThreadPool() override;

  [[nodiscard]] std::uint32_t lanes() const override { return static_cast<std::uint32_t>(threads_.size()) + 1; }
  void run(std::uint32_t task_count, TaskRef task) override;

 private:
  void work(std::uint32_t lane);
  void drain(std::uint32_t lane);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable has_work_;
  std::condition_variable is_done_;
  // Guarded by mutex_: the run that threads join, and how many are still in it.
  std::uint64_t run_number_ = 0;
  std::uint32_t busy_ = 0;
  bool is_stopping_ = false;
  // Set before a run is announced, read by its threads.
  const TaskRef* task_ = nullptr;
  std::uint32_t task_count_ = 0;
  std::atomic<std::uint32_t> next_ = 0;
};

}  // namespace shoal::app
