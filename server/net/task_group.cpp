#include "server/net/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "server/core/check.hpp"

namespace shoal::net {

namespace asio = boost::asio;

namespace {

// co_spawn from the executor's own thread would run the task's first steps inside spawn().
asio::awaitable<void> start_later(asio::awaitable<void> task) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_await std::move(task);
}

}  // namespace

TaskGroup::TaskGroup(asio::any_io_executor executor, Log log)
    : executor_(std::move(executor)),
      log_(std::move(log)),
      emptied_(executor_, asio::steady_timer::time_point::max()) {}

TaskGroup::~TaskGroup() { SHOAL_CHECK(tasks_.empty(), "a task group is destroyed before close() has returned"); }

bool TaskGroup::spawn(std::string name, asio::awaitable<void> task) {
  if (closed_) {
    return false;
  }
  const auto entry = tasks_.emplace(tasks_.end());
  entry->name = std::move(name);
  asio::co_spawn(executor_, start_later(std::move(task)),
                 asio::bind_cancellation_slot(
                     entry->cancel.slot(), [this, entry](const std::exception_ptr& error) { finish(entry, error); }));
  return true;
}

void TaskGroup::finish(std::list<Task>::iterator task, const std::exception_ptr& error) {
  if (error) {
    try {
      std::rethrow_exception(error);
    } catch (const boost::system::system_error& failure) {
      if (failure.code() != asio::error::operation_aborted) {
        log_.error("task_failed", {{"task", task->name}, {"what", failure.what()}});
      }
    } catch (const std::exception& failure) {
      log_.error("task_failed", {{"task", task->name}, {"what", failure.what()}});
    }
  }
  // The signal must not go while the handler that its slot belongs to is still on the stack.
  asio::post(executor_, [this, task] {
    tasks_.erase(task);
    if (tasks_.empty()) {
      emptied_.cancel();
    }
  });
}

asio::awaitable<void> TaskGroup::close() {
  closed_ = true;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  for (Task& task : tasks_) {
    task.cancel.emit(asio::cancellation_type::terminal);
  }
  while (!tasks_.empty()) {
    co_await emptied_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace shoal::net
