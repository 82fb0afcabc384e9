// A lane that other threads may enter. One io_context and the thread that runs it, as any lane; but what another thread
// brings by enter() runs on that very thread when nobody is inside, and else on the thread that is, after what it is
// doing. Nobody is woken for it. There is never more than one thread inside, and who comes in sees all that was done
// there before: objects that live here need no mutex and no strand, as on every lane.
// Owned by the composition root. Its executor is handed on as an any_io_executor.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace shoal::net {

class OpenLane {
 public:
  class Executor;

  OpenLane();
  OpenLane(const OpenLane&) = delete;
  OpenLane& operator=(const OpenLane&) = delete;
  // Drops what has not run. Requires: run() has returned or was never called, and nobody enters any more.
  ~OpenLane();

  [[nodiscard]] Executor executor();
  // Runs the lane on this thread until stop(), and until whoever is inside then has left.
  void run();
  // Any thread, inside or not. What has not begun does not run any more.
  void stop();

  // Any thread. Runs `work` inside: here and now when nobody is there, which may take what others bring meanwhile
  // along.
  template <class Work>
  void enter(Work work) {
    if (!is_inside() && take()) {
      begin_with(std::move(work));
    } else {
      bring(task_of(std::move(work)), true);
    }
  }

 private:
  struct Task {
    Task() = default;
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    virtual ~Task() = default;
    virtual void run() = 0;
    std::unique_ptr<Task> next;
  };
  template <class Work>
  struct TaskOf final : Task {
    explicit TaskOf(Work the_work) : work(std::move(the_work)) {}
    void run() override { std::move(work)(); }
    Work work;
  };
  class Tasks {
   public:
    Tasks() = default;
    Tasks(const Tasks&) = delete;
    Tasks& operator=(const Tasks&) = delete;
    ~Tasks() { clear(); }
    [[nodiscard]] bool empty() const { return first_ == nullptr; }
    void push(std::unique_ptr<Task> task);
    std::unique_ptr<Task> pop();
    void take_all(Tasks& others);
    void clear();

   private:
    std::unique_ptr<Task> first_;
    Task* last_ = nullptr;
  };

  template <class Work>
  static std::unique_ptr<Task> task_of(Work work) {
    return std::make_unique<TaskOf<Work>>(std::move(work));
  }
  [[nodiscard]] bool is_inside() const;
  // True: this thread has the lane, and must work_off().
  bool take();
  template <class Work>
  void begin_with(Work work) noexcept {
    const OpenLane* const outside = go_in(this);
    std::move(work)();
    go_in(outside);
    work_off();
  }
  // The lane that this thread was in before.
  static const OpenLane* go_in(const OpenLane* lane);
  void bring(std::unique_ptr<Task> task, bool may_enter);
  void work_off() noexcept;
  void call_own_thread();

  // Before the io_context: the handlers that it destroys come here.
  std::mutex mutex_;
  std::condition_variable left_;
  Tasks brought_;            // by who is not inside; mutex_
  bool is_taken_ = false;    // by somebody inside, or for the own thread; mutex_
  bool has_guest_ = false;   // somebody inside came by enter(); mutex_
  bool is_closing_ = false;  // mutex_
  std::atomic<bool> is_stopped_ = false;
  Tasks ready_;  // of who is inside
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
};

// post() brings work in on the lane's own thread; dispatch() enters from there and runs at once from inside.
class OpenLane::Executor {
 public:
  explicit Executor(OpenLane& lane) : lane_(&lane) {}

  [[nodiscard]] OpenLane& lane() const { return *lane_; }
  bool operator==(const Executor&) const = default;

  template <class Work>
  void execute(Work&& work) const {
    std::decay_t<Work> taken(std::forward<Work>(work));
    if (is_posting_) {
      lane_->bring(task_of(std::move(taken)), false);
    } else if (lane_->is_inside()) {
      std::move(taken)();
    } else if (lane_->context_.get_executor().running_in_this_thread()) {
      lane_->enter(std::move(taken));
    } else {
      lane_->bring(task_of(std::move(taken)), false);
    }
  }

  [[nodiscard]] boost::asio::io_context& query(boost::asio::execution::context_t /*what*/) const noexcept {
    return lane_->context_;
  }
  [[nodiscard]] Executor require(boost::asio::execution::blocking_t::never_t /*what*/) const noexcept {
    return {*lane_, true};
  }
  [[nodiscard]] Executor require(boost::asio::execution::blocking_t::possibly_t /*what*/) const noexcept {
    return {*lane_, false};
  }

 private:
  Executor(OpenLane& lane, bool is_posting) : lane_(&lane), is_posting_(is_posting) {}

  OpenLane* lane_;
  bool is_posting_ = false;
};

inline OpenLane::Executor OpenLane::executor() { return Executor(*this); }

// enter() where `executor` is that of such a lane; else post().
template <class Work>
void enter(const boost::asio::any_io_executor& executor, Work work) {
  if (const auto* open = executor.target<OpenLane::Executor>()) {
    open->lane().enter(std::move(work));
  } else {
    boost::asio::post(executor, std::move(work));
  }
}

}  // namespace shoal::net
