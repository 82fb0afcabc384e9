// The coroutines of one owner, so that none is ever detached. spawn() refuses once closed; close() cancels all and
// waits until the last is gone; the destructor checks that this has happened. An exception that leaves a task is a bug:
// it is logged as an error and ends only that task.
// Lives on the lane of its executor; all members are called there.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <exception>
#include <list>
#include <string>

#include "server/core/log.hpp"

namespace shoal::net {

class TaskGroup {
 public:
  TaskGroup(boost::asio::any_io_executor executor, Log log);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  // False when the group is closed: then the task never starts. It never starts inside this call.
  bool spawn(std::string name, boost::asio::awaitable<void> task);

  // Cancels every task (terminal) and returns when all have ended. Not from one of the group's own tasks. The calling
  // coroutine cannot be cancelled from here on.
  boost::asio::awaitable<void> close();

  [[nodiscard]] std::size_t size() const { return tasks_.size(); }
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  struct Task {
    std::string name;
    boost::asio::cancellation_signal cancel;
  };
  void finish(std::list<Task>::iterator task, const std::exception_ptr& error);

  boost::asio::any_io_executor executor_;
  Log log_;
  std::list<Task> tasks_;
  boost::asio::steady_timer emptied_;
  bool closed_ = false;
};

}  // namespace shoal::net
