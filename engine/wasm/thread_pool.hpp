// Threads of one memory: each is an instance of the same module on a worker of the embedder, with a stack of its own. A
// thread runs tasks and nothing else: it neither allocates nor touches libc, which is not made for threads here.
#pragma once

#include <cstdint>

#include "engine/core/parallel.hpp"

namespace shoal::wasm {

// One caller, whose lane is 0, and a thread for each other lane. A thread that is not there yet, or asleep, is not
// waited for: the caller takes its tasks. Where other work keeps the cores busy, a thread may lose its core in the
// middle of a task, and each of the many runs of a step would wait for that: then the caller runs alone for a while.
class ThreadPool final : public Parallel {
 public:
  explicit ThreadPool(std::uint32_t lanes) : lanes_(lanes) {}

  [[nodiscard]] std::uint32_t lanes() const override { return lanes_; }
  // Traps when a thread has trapped in a task of this run: nobody would end it.
  void run(std::uint32_t task_count, TaskRef task) override;

  // Runs tasks on the calling thread and never returns; the embedder ends the thread. Requires: 0 < lane < lanes(), one
  // thread for each.
  [[noreturn]] void serve(std::uint32_t lane);
  // Said of a thread that has trapped.
  void abandon();

 private:
  // Takes note of a run in which the others were `late` or not.
  void judge(bool late);
  // Whether there was a task to run.
  bool work(std::uint32_t lane);

  std::uint32_t lanes_;
  // Tasks of the run that nobody has taken yet, below; the number of the run, above: so that a late thread takes no
  // task of a run that it has not seen.
  std::uint64_t left_ = 0;
  std::uint32_t done_ = 0;
  // Changes with each run; sleeping threads wait for that.
  std::uint32_t runs_ = 0;
  std::uint32_t sleepers_ = 0;
  std::uint32_t is_caller_asleep_ = 0;
  std::uint32_t is_abandoned_ = 0;
  std::uint32_t task_count_ = 0;
  const TaskRef* task_ = nullptr;
  // The caller's alone: runs that it still makes alone, how many it makes so after the next late one, and how many have
  // gone well since the last.
  std::uint32_t alone_ = 0;
  std::uint32_t penalty_ = 0;
  std::uint32_t good_ = 0;
};

}  // namespace shoal::wasm
