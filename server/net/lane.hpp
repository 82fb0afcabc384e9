// A lane: one io_context with concurrency hint 1 and the one thread that runs it. Objects that live on a lane need no
// mutex and no strand; other threads reach them only by asio::post to the lane's context.
// Owned by the composition root. stop() drops what has not run yet, so every service on the lane is closed before.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <thread>

namespace shoal::net {

class Lane {
 public:
  // Starts the thread. `name` is what the thread is called in ps and gdb (15 characters at most).
  explicit Lane(std::string name);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane();

  boost::asio::io_context& context() { return context_; }
  boost::asio::io_context::executor_type executor() { return context_.get_executor(); }

  // Not from the lane's own thread. Idempotent; the destructor calls it.
  void stop();

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace shoal::net
