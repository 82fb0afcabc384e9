#include "server/net/task_group.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "server/net/deadline.hpp"
#include "tests/support/run_on_lane.hpp"

namespace shoal::net {
namespace {

namespace asio = boost::asio;
using testing_support::run_on_lane;

asio::awaitable<void> wait_forever(std::shared_ptr<int> held) {
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
  ++*held;
}

asio::awaitable<void> count(int& counter) {
  ++counter;
  co_return;
}

asio::awaitable<void> throw_bug() {
  co_await asio::this_coro::executor;
  throw std::runtime_error("a bug");
}

TEST(TaskGroupTest, CloseCancelsAndWaitsForAll) {
  const auto held = std::make_shared<int>(0);
  run_on_lane([&held](asio::any_io_executor executor) -> asio::awaitable<void> {
    TaskGroup tasks(executor, Log::discard());
    for (int task = 0; task < 10; ++task) {
      EXPECT_TRUE(tasks.spawn("waits", wait_forever(held)));
    }
    EXPECT_EQ(tasks.size(), 10U);
    co_await tasks.close();
    EXPECT_EQ(tasks.size(), 0U);
    EXPECT_EQ(held.use_count(), 1);
    EXPECT_FALSE(tasks.spawn("too late", wait_forever(held)));
    EXPECT_EQ(held.use_count(), 1);
    co_await tasks.close();
  });
  EXPECT_EQ(*held, 0);
}

TEST(TaskGroupTest, ATaskNeverStartsInsideSpawn) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    TaskGroup tasks(executor, Log::discard());
    int counter = 0;
    tasks.spawn("counts", count(counter));
    EXPECT_EQ(counter, 0);
    asio::steady_timer timer(executor, std::chrono::milliseconds(1));
    co_await wait(timer);
    EXPECT_EQ(counter, 1);
    EXPECT_EQ(tasks.size(), 0U);
    co_await tasks.close();
  });
}

TEST(TaskGroupTest, AnExceptionIsLoggedAndEndsOnlyItsTask) {
  std::vector<std::string> lines;
  const Log log([&lines](LogLevel, std::string_view line) { lines.emplace_back(line); }, LogLevel::kDebug,
                Log::Format::kText);
  const auto held = std::make_shared<int>(0);
  run_on_lane([&](asio::any_io_executor executor) -> asio::awaitable<void> {
    TaskGroup tasks(executor, log);
    tasks.spawn("waits", wait_forever(held));
    tasks.spawn("breaks", throw_bug());
    asio::steady_timer timer(executor, std::chrono::milliseconds(1));
    co_await wait(timer);
    EXPECT_EQ(tasks.size(), 1U);
    co_await tasks.close();
  });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], ::testing::HasSubstr("a bug"));
}

TEST(TaskGroupDeathTest, DestroyingARunningGroupIsABug) {
  EXPECT_DEATH(
      {
        asio::io_context context;
        TaskGroup tasks(context.get_executor(), Log::discard());
        tasks.spawn("waits", wait_forever(std::make_shared<int>(0)));
      },
      "destroyed before close");
}

}  // namespace
}  // namespace shoal::net
