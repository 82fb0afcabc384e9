// with_deadline: the one way to bound a wait. Boost 1.81 has no cancel_after, and `op || timer` reports an operation
// that throws only when the timer fires; so both sides are made non-throwing here.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <string>
#include <utility>

#include "engine/core/result.hpp"
#include "server/core/clock.hpp"

namespace shoal::net {

namespace detail {

template <class T>
boost::asio::awaitable<Result<T>> never_throws(boost::asio::awaitable<Result<T>> operation) {
  try {
    co_return co_await std::move(operation);
  } catch (const boost::system::system_error& error) {
    co_return error.code() == boost::asio::error::operation_aborted ? fail(Code::kCancelled, "cancelled")
                                                                    : fail(Code::kInternal, error.what());
  }
}

inline boost::asio::awaitable<void> expiry(TimePoint deadline) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, deadline);
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

}  // namespace detail

// The result of `operation`, or kDeadlineExceeded naming `what`; the operation has ended in both cases.
template <class T>
boost::asio::awaitable<Result<T>> with_deadline(TimePoint deadline, std::string what,
                                                boost::asio::awaitable<Result<T>> operation) {
  using boost::asio::experimental::awaitable_operators::operator||;
  auto first = co_await (detail::never_throws(std::move(operation)) || detail::expiry(deadline));
  if (first.index() == 0) {
    co_return std::move(std::get<0>(first));
  }
  co_return fail(Code::kDeadlineExceeded, what + " did not finish in time");
}

// Waits; ends early, without a throw, when cancelled through `timer`.
inline boost::asio::awaitable<void> wait(boost::asio::steady_timer& timer) {
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

}  // namespace shoal::net
