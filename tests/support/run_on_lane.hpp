// Runs a coroutine on an io_context of its own until it and everything that it started has ended, and gives its result.
// A test that hangs is ended by ctest's timeout.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <functional>

namespace shoal::testing_support {

inline void run_on_lane(const std::function<boost::asio::awaitable<void>(boost::asio::any_io_executor)>& body) {
  boost::asio::io_context context(1);
  std::exception_ptr failure;
  boost::asio::co_spawn(context, body(context.get_executor()),
                        [&failure](std::exception_ptr error) { failure = error; });
  context.run();
  if (failure) {
    std::rethrow_exception(failure);
  }
}

}  // namespace shoal::testing_support
