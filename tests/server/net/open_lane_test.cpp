#include "server/net/open_lane.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

namespace shoal::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A lane with a thread of its own for as long as it lives.
struct Running {
  OpenLane lane;
  std::thread own{[this] { lane.run(); }};
  asio::any_io_executor executor = lane.executor();

  Running() = default;
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { stop(); }
  void stop() {
    lane.stop();
    if (own.joinable()) {
      own.join();
    }
  }
};

// Somebody who stays inside until it is told to go.
class Guest {
 public:
  explicit Guest(OpenLane& lane)
      : thread_([this, &lane] {
          lane.enter([this] {
            entered_.set_value();
            leave_.get_future().wait();
          });
        }) {
    entered_.get_future().wait();
  }
  std::thread::id id() const { return thread_.get_id(); }
  void leave() {
    leave_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> entered_;
  std::promise<void> leave_;
  std::thread thread_;
};

TEST(OpenLaneTest, WhoEntersWhenNobodyIsInsideRunsThere) {
  Running running;
  std::thread::id ran;
  running.lane.enter([&] { ran = std::this_thread::get_id(); });
  EXPECT_EQ(ran, std::this_thread::get_id());
  enter(running.executor, [&] { ran = {}; });
  EXPECT_EQ(ran, std::thread::id());
}

TEST(OpenLaneTest, WhatIsBroughtMeanwhileRunsOnTheThreadThatIsInside) {
  Running running;
  Guest guest(running.lane);
  std::vector<std::thread::id> ran;
  running.lane.enter([&] { ran.push_back(std::this_thread::get_id()); });  // returns at once
  asio::post(running.executor, [&] { ran.push_back(std::this_thread::get_id()); });
  const std::vector expected(2, guest.id());
  guest.leave();
  EXPECT_EQ(ran, expected);
}

TEST(OpenLaneTest, InsideOnlyDispatchRunsAtOnce) {
  Running running;
  std::vector<int> order;
  running.lane.enter([&] {
    running.lane.enter([&] { order.push_back(3); });
    asio::post(running.executor, [&] { order.push_back(4); });
    asio::dispatch(running.executor, [&] { order.push_back(1); });
    order.push_back(2);
  });
  EXPECT_EQ(order, (std::vector{1, 2, 3, 4}));
}

TEST(OpenLaneTest, WhatAStrangerPostsOrDispatchesRunsOnTheOwnThread) {
  Running running;
  for (const bool posts : {true, false}) {
    std::promise<std::thread::id> ran;
    auto tell = [&] { ran.set_value(std::this_thread::get_id()); };
    posts ? asio::post(running.executor, tell) : asio::dispatch(running.executor, tell);
    EXPECT_EQ(ran.get_future().get(), running.own.get_id());
  }
}

TEST(OpenLaneTest, AGuestIsLetGoWhenThereIsMuchToDo) {
  Running running;
  std::promise<void> last;
  bool has_stayed_to_the_end = true;
  running.lane.enter([&] {
    for (int index = 0; index < 1000; ++index) {
      asio::post(running.executor, [&, index] {
        has_stayed_to_the_end = running.own.get_id() != std::this_thread::get_id();
        if (index == 999) {
          last.set_value();
        }
      });
    }
  });
  last.get_future().wait();
  EXPECT_FALSE(has_stayed_to_the_end);
}

// The counter has no lock: ThreadSanitizer sees two inside, and so does the sum.
TEST(OpenLaneTest, ThereIsNeverMoreThanOneInside) {
  Running running;
  constexpr int kEach = 2000;
  int count = 0;
  std::promise<void> all;
  const auto one_more = [&] {
    if (++count == 4 * kEach) {
      all.set_value();
    }
  };
  asio::co_spawn(
      running.executor,
      [&]() -> asio::awaitable<void> {
        asio::steady_timer timer(running.executor);
        for (int index = 0; index < kEach; ++index) {
          timer.expires_after(0s);
          co_await timer.async_wait(asio::use_awaitable);
          one_more();
        }
      },
      asio::detached);
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (int index = 0; index < kEach; ++index) {
      asio::post(running.executor, one_more);
    }
  });
  for (int thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&] {
      for (int index = 0; index < kEach; ++index) {
        running.lane.enter(one_more);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  all.get_future().wait();
  EXPECT_EQ(count, 4 * kEach);
}

TEST(OpenLaneTest, RunReturnsWhenTheGuestHasLeft) {
  Running running;
  Guest guest(running.lane);
  running.lane.enter([] { FAIL(); });
  auto stopped = std::async(std::launch::async, [&] { running.stop(); });
  EXPECT_EQ(stopped.wait_for(50ms), std::future_status::timeout);
  guest.leave();
  stopped.get();
  running.lane.enter([] { FAIL(); });
  asio::post(running.executor, [] { FAIL(); });
}

TEST(OpenLaneTest, AGuestMayStopIt) {
  Running running;
  running.lane.enter([&] {
    running.lane.stop();
    running.lane.enter([] { FAIL(); });
  });
  running.own.join();
}

TEST(OpenLaneTest, CoroutinesThatWaitAreUnwoundWithIt) {
  const auto held = std::make_shared<int>(1);
  {
    Running running;
    std::promise<void> waiting;
    asio::co_spawn(
        running.executor,
        [&, kept = held]() -> asio::awaitable<void> {
          asio::steady_timer timer(running.executor, 1h);
          waiting.set_value();
          co_await timer.async_wait(asio::use_awaitable);
        },
        asio::detached);
    waiting.get_future().wait();
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(OpenLaneTest, ElsewhereEnteringIsPosting) {
  asio::io_context context;
  bool has_run = false;
  enter(context.get_executor(), [&] { has_run = true; });
  EXPECT_FALSE(has_run);
  context.run();
  EXPECT_TRUE(has_run);
}

}  // namespace
}  // namespace shoal::net
