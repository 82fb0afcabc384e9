// What the process keeps of freed memory. Tensors come and go in buffers of megabytes; as glibc is set, each of them is
// mapped anew and its pages are cleared one by one, which costs more than copying it. So freed buffers stay with the
// process while requests come, up to a bound, and go back to the machine once none has come for a while.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>

namespace shoal::app {

class Heap {
 public:
  // `requests`: how many have come so far, and whether one is open. Main lane.
  struct Requests {
    std::uint64_t count = 0;
    bool is_open = false;
  };
  Heap(boost::asio::any_io_executor main, boost::asio::thread_pool& cpu, std::function<Requests()> requests);

  // How the process's memory is kept. Before the first thread is started.
  static void set_up();
  // Gives back until stop(). Main lane.
  void start() { look_later(); }
  void stop() { timer_.cancel(); }

 private:
  void look_later();
  void look();

  boost::asio::steady_timer timer_;
  boost::asio::thread_pool& cpu_;
  std::function<Requests()> requests_;
  std::uint64_t seen_ = 0;     // requests, when it last looked
  std::uint64_t cleaned_ = 0;  // requests, when memory was last given back
};

}  // namespace shoal::app
