#include "server/app/thread_pool.hpp"

namespace shoal::app {

ThreadPool::ThreadPool(std::uint32_t lanes) {
  for (std::uint32_t lane = 1; lane < lanes; ++lane) {
    threads_.emplace_back([this, lane] { work(lane); });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  has_work_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void ThreadPool::run(std::uint32_t task_count, TaskRef task) {
  task_ = &task;
  task_count_ = task_count;
  next_ = 0;
  {
    const std::lock_guard lock(mutex_);
    ++run_number_;
    busy_ = static_cast<std::uint32_t>(threads_.size());
  }
  has_work_.notify_all();
  drain(0);
  std::unique_lock lock(mutex_);
  is_done_.wait(lock, [this] { return busy_ == 0; });
}

void ThreadPool::drain(std::uint32_t lane) {
  for (std::uint32_t index = next_++; index < task_count_; index = next_++) {
    (*task_)(index, lane);
  }
}

void ThreadPool::work(std::uint32_t lane) {
  std::uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    has_work_.wait(lock, [&] { return is_stopping_ || run_number_ != seen; });
    if (is_stopping_) {
      return;
    }
    seen = run_number_;
    lock.unlock();
    drain(lane);
    lock.lock();
    if (--busy_ == 0) {
      is_done_.notify_one();
    }
  }
}

}  // namespace shoal::app
