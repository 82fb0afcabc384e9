// The responses to one request, one after the other as the reader asks for them. When the last owner lets go of it the
// request is cancelled, unless it has ended. Main lane.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "server/api/http/message.hpp"
#include "server/dispatch/inference.hpp"

namespace shoal::api::http {

class ResponseStream : public std::enable_shared_from_this<ResponseStream> {
 public:
  // Nothing: there is no other response.
  using Next = Result<std::optional<dispatch::InferenceResponse>>;

  explicit ResponseStream(dispatch::InferenceService& service) : service_(service) {}
  ResponseStream(const ResponseStream&) = delete;
  ResponseStream& operator=(const ResponseStream&) = delete;
  ~ResponseStream();

  // A client that goes away cancels it, as long as `exchange` is handled. `is_decoupled`: of the request's model.
  void start(dispatch::InferenceRequest request, bool is_decoupled, Exchange& exchange);
  // Requires: it was started, and the last call has been answered. After an error or the end: the end.
  boost::asio::awaitable<Next> next();

 private:
  void take(Next item);
  void cancel();

  dispatch::InferenceService& service_;
  std::uint64_t ticket_ = 0;  // 0: it has ended
  std::deque<Next> items_;    // that nobody has asked for yet
  std::function<void(Next)> reader_;
  std::function<void()> more_;
};

}  // namespace shoal::api::http
