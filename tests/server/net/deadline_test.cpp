#include "server/net/deadline.hpp"

#include <gtest/gtest.h>

#include "tests/support/run_on_lane.hpp"

namespace shoal::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing_support::run_on_lane;

asio::awaitable<Result<int>> answer(int value) { co_return value; }

asio::awaitable<Result<int>> never(bool& ended) {
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  ended = error == asio::error::operation_aborted;
  co_return fail(Code::kCancelled, "cancelled");
}

asio::awaitable<Result<int>> throw_at_once() {
  co_await asio::this_coro::executor;
  throw boost::system::system_error(make_error_code(boost::system::errc::io_error));
}

TEST(DeadlineTest, AResultInTimeIsTheResult) {
  run_on_lane([](asio::any_io_executor) -> asio::awaitable<void> {
    const auto result = co_await with_deadline(Clock::now() + 1h, "answer", answer(7));
    EXPECT_EQ(result.value_or(0), 7);
  });
}

TEST(DeadlineTest, WhatIsLateIsCancelledAndHasEnded) {
  run_on_lane([](asio::any_io_executor) -> asio::awaitable<void> {
    bool ended = false;
    const auto result = co_await with_deadline(Clock::now() + 5ms, "the answer", never(ended));
    EXPECT_EQ(result.error().code, Code::kDeadlineExceeded);
    EXPECT_EQ(result.error().message, "the answer did not finish in time");
    EXPECT_TRUE(ended);
  });
}

TEST(DeadlineTest, AThrowIsReportedAtOnce) {
  run_on_lane([](asio::any_io_executor) -> asio::awaitable<void> {
    const auto result = co_await with_deadline(Clock::now() + 1h, "answer", throw_at_once());
    EXPECT_EQ(result.error().code, Code::kInternal);
  });
}

TEST(DeadlineTest, NoDeadlineIsAllowed) {
  run_on_lane([](asio::any_io_executor) -> asio::awaitable<void> {
    EXPECT_TRUE(co_await with_deadline(kNoDeadline, "answer", answer(1)));
  });
}

}  // namespace
}  // namespace shoal::net
