#include "server/net/open_lane.hpp"

#include <boost/asio/post.hpp>

namespace shoal::net {
namespace {

// So many at a time: then sockets and timers have their turn, and who came in goes back to its own affairs.
constexpr std::size_t kMaxTasks = 64;

thread_local const OpenLane* inside = nullptr;

}  // namespace

void OpenLane::Tasks::push(std::unique_ptr<Task> task) {
  Task* added = task.get();
  (first_ == nullptr ? first_ : last_->next) = std::move(task);
  last_ = added;
}

std::unique_ptr<OpenLane::Task> OpenLane::Tasks::pop() {
  std::unique_ptr<Task> task = std::move(first_);
  first_ = std::move(task->next);
  return task;
}

void OpenLane::Tasks::take_all(Tasks& others) {
  if (!others.empty()) {
    (first_ == nullptr ? first_ : last_->next) = std::move(others.first_);
    last_ = others.last_;
  }
}

void OpenLane::Tasks::clear() {
  // One by one: each may bring more, and a chain of destructors would be as deep as it is long.
  while (!empty()) {
    pop();
  }
}

OpenLane::OpenLane() : context_(1), work_(context_.get_executor()) {}

OpenLane::~OpenLane() {
  {
    const std::scoped_lock lock(mutex_);
    is_closing_ = true;
  }
  ready_.clear();
  brought_.clear();
}

void OpenLane::run() {
  context_.run();
  std::unique_lock lock(mutex_);
  left_.wait(lock, [this] { return !has_guest_; });
}

void OpenLane::stop() {
  is_stopped_ = true;
  context_.stop();
}

bool OpenLane::is_inside() const { return inside == this; }

const OpenLane* OpenLane::go_in(const OpenLane* lane) { return std::exchange(inside, lane); }

bool OpenLane::take() {
  const std::scoped_lock lock(mutex_);
  if (is_taken_ || is_stopped_) {
    return false;
  }
  is_taken_ = has_guest_ = true;
  return true;
}

void OpenLane::bring(std::unique_ptr<Task> task, bool may_enter) {
  if (is_inside()) {
    ready_.push(std::move(task));
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    if (is_closing_) {
      return;
    }
    brought_.push(std::move(task));
    if (is_taken_ || is_stopped_) {
      return;
    }
    is_taken_ = true;
    has_guest_ = may_enter;
  }
  may_enter ? work_off() : call_own_thread();
}

void OpenLane::call_own_thread() {
  boost::asio::post(context_, [this] { work_off(); });
}

void OpenLane::work_off() noexcept {
  const OpenLane* const outside = go_in(this);
  std::size_t left = kMaxTasks;
  while (true) {
    {
      const std::scoped_lock lock(mutex_);
      ready_.take_all(brought_);
      is_taken_ = !ready_.empty() && !is_stopped_;
      if (!is_taken_ || left == 0) {
        if (is_taken_) {
          call_own_thread();
        }
        go_in(outside);
        if (std::exchange(has_guest_, false)) {
          left_.notify_all();  // from here on the lane may be gone
        }
        return;
      }
    }
    for (; left > 0 && !ready_.empty() && !is_stopped_; --left) {
      ready_.pop()->run();
    }
  }
}

}  // namespace shoal::net
