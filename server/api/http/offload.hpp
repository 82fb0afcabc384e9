// Work on the CPU pool, awaited on the lane: for what would hold up everybody else there (large JSON, files, long
// texts).
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace shoal::api::http {

// The result of `work`, which runs on a thread of `cpu` while the caller waits: it may refer to the caller's variables.
// What it throws is thrown here.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> offload(boost::asio::thread_pool& cpu, Work work) {
  using Value = std::invoke_result_t<Work&>;
  auto initiate = [&cpu, &work](auto handler) {
    boost::asio::post(cpu, [handler = std::move(handler), &work]() mutable {
      std::exception_ptr error;
      std::optional<Value> value;
      try {
        value.emplace(work());
      } catch (...) {
        error = std::current_exception();
      }
      const auto executor = boost::asio::get_associated_executor(handler);
      boost::asio::post(executor, [handler = std::move(handler), error, value = std::move(value)]() mutable {
        std::move(handler)(error, std::move(value));
      });
    });
  };
  std::optional<Value> value = co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&,
                                                                    void(std::exception_ptr, std::optional<Value>)>(
      std::move(initiate), boost::asio::use_awaitable);
  co_return std::move(*value);
}

}  // namespace shoal::api::http
