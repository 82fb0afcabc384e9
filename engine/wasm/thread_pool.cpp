#include "engine/wasm/thread_pool.hpp"

namespace shoal::wasm {
namespace {

// The gaps between the parallel parts of a step are microseconds: falling asleep in them would cost more.
constexpr int kSpins = 20000;
// Runs that are made alone after a late one: a decode step has some two hundred.
constexpr std::uint32_t kLeastPenalty = 256;
constexpr std::uint32_t kMostPenalty = 16384;
constexpr std::uint32_t kForgiven = 4096;
constexpr std::int64_t kForever = -1;
constexpr std::uint64_t kTaskMask = 0xFFFFFFFFU;
// More than the tasks of any run.
constexpr std::uint32_t kAbandoned = 0x80000000U;

template <class T>
T read(const T& from) {
  return __atomic_load_n(&from, __ATOMIC_SEQ_CST);
}
template <class T>
void write(T& to, T value) {
  __atomic_store_n(&to, value, __ATOMIC_SEQ_CST);
}
std::uint32_t add(std::uint32_t& to, std::uint32_t value) { return __atomic_add_fetch(&to, value, __ATOMIC_SEQ_CST); }

// Returns at once unless `place` holds `seen`.
void sleep_while(std::uint32_t& place, std::uint32_t seen) {
  __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&place), static_cast<int>(seen), kForever);
}
void wake(std::uint32_t& place, std::uint32_t count) {
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&place), count);
}

}  // namespace

void ThreadPool::run(std::uint32_t task_count, TaskRef task) {
  const bool is_alone = task_count > 1 && alone_ > 0;
  alone_ -= is_alone ? 1 : 0;
  if (task_count <= 1 || lanes_ == 1 || is_alone) {
    for (std::uint32_t index = 0; index < task_count; ++index) {
      task(index, 0);
    }
    return;
  }
  task_ = &task;
  task_count_ = task_count;
  write(done_, std::uint32_t{0});
  const std::uint64_t run = (read(left_) >> 32) + 1;
  write(left_, run << 32 | task_count);
  add(runs_, 1);
  if (read(sleepers_) > 0) {
    wake(runs_, lanes_ - 1);
  }
  std::uint32_t own = 0;
  while (work(0)) {
    ++own;
  }
  for (int spin = 0; read(done_) < task_count && spin < kSpins; ++spin) {
  }
  // They have one task each, and it takes longer than all the others together.
  judge(read(done_) < task_count && own + lanes_ > task_count);
  write(is_caller_asleep_, std::uint32_t{1});
  for (std::uint32_t done = read(done_); done < task_count; done = read(done_)) {
    sleep_while(done_, done);
  }
  write(is_caller_asleep_, std::uint32_t{0});
  if (read(is_abandoned_) != 0) {
    __builtin_trap();
  }
}

void ThreadPool::judge(bool late) {
  if (late) {
    penalty_ = penalty_ == 0 ? kLeastPenalty : penalty_ < kMostPenalty ? 2 * penalty_ : kMostPenalty;
    alone_ = penalty_;
    good_ = 0;
  } else if (++good_ == kForgiven) {
    penalty_ = 0;
    good_ = 0;
  }
}

bool ThreadPool::work(std::uint32_t lane) {
  std::uint64_t left = read(left_);
  do {
    if ((left & kTaskMask) == 0) {
      return false;
    }
  } while (!__atomic_compare_exchange_n(&left_, &left, left - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  // The run does not end before this task has, so what it set is there.
  const std::uint32_t count = task_count_;
  (*task_)(static_cast<std::uint32_t>(left & kTaskMask) - 1, lane);
  if (add(done_, 1) >= count && read(is_caller_asleep_) != 0) {
    wake(done_, 1);
  }
  return true;
}

void ThreadPool::serve(std::uint32_t lane) {
  for (;;) {
    const std::uint32_t runs = read(runs_);
    bool worked = false;
    for (int spin = 0; !worked && spin < kSpins; ++spin) {
      worked = work(lane);
    }
    if (!worked) {
      add(sleepers_, 1);
      sleep_while(runs_, runs);
      add(sleepers_, static_cast<std::uint32_t>(-1));
    }
  }
}

void ThreadPool::abandon() {
  write(is_abandoned_, std::uint32_t{1});
  add(done_, kAbandoned);
  wake(done_, 1);
}

}  // namespace shoal::wasm
