// Awaits what ends by calling a callback. Main lane.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

namespace shoal::api::http {

template <class Value>
struct CalledWith {
  using Signature = void(Value);
};
template <>
struct CalledWith<void> {
  using Signature = void();
};

// Calls `start` with a callback; what that is called with, once, and not before `start` returns.
template <class Value, class Start>
boost::asio::awaitable<Value> called_back(Start start) {
  auto initiate = [&start](auto handler) {
    // A std::function is copyable, the handler is not.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    start([shared](auto... value) {
      auto resume = std::move(*shared);
      std::move(resume)(std::move(value)...);
    });
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&,
                                                 typename CalledWith<Value>::Signature>(std::move(initiate),
                                                                                        boost::asio::use_awaitable);
}

}  // namespace shoal::api::http
