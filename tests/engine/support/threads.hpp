// Threads for tests of what must not depend on them.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "engine/core/parallel.hpp"

namespace shoal::test {

// As many threads as lanes, made anew for each call.
class Threads final : public Parallel {
 public:
  explicit Threads(std::uint32_t lanes) : lanes_(lanes) {}

  [[nodiscard]] std::uint32_t lanes() const override { return lanes_; }

  void run(std::uint32_t task_count, TaskRef task) override {
    std::atomic<std::uint32_t> next = 0;
    std::vector<std::thread> threads;
    for (std::uint32_t lane = 0; lane < lanes_; ++lane) {
      threads.emplace_back([&, lane] {
        for (std::uint32_t index = next++; index < task_count; index = next++) {
          task(index, lane);
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

 private:
  std::uint32_t lanes_;
};

}  // namespace shoal::test
