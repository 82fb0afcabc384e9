// One HTTP request to a server on behalf of a command, whose answer may be read while it grows. Any lane.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"

namespace shoal::app {

struct HttpReply {
  unsigned status = 0;
  std::string body;  // empty where `on_event` was told of it
};

class HttpCall {
 public:
  // "http://HOST:PORT" or "HOST:PORT"; kInvalidArgument for anything else.
  static Result<HttpCall> to(std::string_view server);

  // "HOST:PORT".
  [[nodiscard]] const std::string& address() const { return address_; }

  // kUnavailable when nobody answers. Where the answer is a stream of events, `on_event` is told the data of each as it
  // comes; false ends the call, and so does a cancellation of the coroutine. The key is that of SHOAL_API_KEY.
  using OnEvent = std::function<bool(std::string_view data)>;
  [[nodiscard]] boost::asio::awaitable<Result<HttpReply>> send(std::string method, std::string path, std::string body,
                                                               OnEvent on_event = {}) const;

 private:
  HttpCall(std::string host, std::string port)
      : address_(host + ":" + port), host_(std::move(host)), port_(std::move(port)) {}

  std::string address_;
  std::string host_;
  std::string port_;
};

}  // namespace shoal::app
