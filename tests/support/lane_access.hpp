// How a test reaches what lives on a lane that another thread runs.
#pragma once

#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <thread>

#include "server/core/clock.hpp"
#include "server/net/lane.hpp"

namespace shoal::testing_support {

// Runs `action` on the lane and waits for it.
template <class Action>
void on_lane(net::Lane& lane, Action action) {
  std::promise<void> done;
  boost::asio::post(lane.context(), [&] {
    action();
    done.set_value();
  });
  done.get_future().get();
}

// Polls a condition of the lane for at most 10 s: what happens there has no other sign outside.
template <class Condition>
bool eventually(net::Lane& lane, Condition condition) {
  const TimePoint deadline = Clock::now() + std::chrono::seconds(10);
  bool is_true = false;
  while (!is_true && Clock::now() < deadline) {
    on_lane(lane, [&] { is_true = condition(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return is_true;
}

}  // namespace shoal::testing_support
