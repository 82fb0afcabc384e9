// The responses to several requests of one client, in the order in which they come. When the last owner lets go of it,
// what has not ended is cancelled. Main lane.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "server/api/http/message.hpp"
#include "server/core/clock.hpp"
#include "server/dispatch/inference.hpp"

namespace shoal::api::openai {

class ChoiceStream : public std::enable_shared_from_this<ChoiceStream> {
 public:
  struct Event {
    std::size_t choice = 0;
    Result<dispatch::InferenceResponse> response;
    bool is_last = false;  // of its choice
    std::function<void()> more = {};
    bool is_silence = false;  // nothing has come for as long as was said to tell_silence(); `response` is of no meaning
  };

  explicit ChoiceStream(dispatch::InferenceService& service) : service_(service) {}
  ChoiceStream(const ChoiceStream&) = delete;
  ChoiceStream& operator=(const ChoiceStream&) = delete;
  ~ChoiceStream() { cancel(); }

  // A client that goes away cancels all, as long as `exchange` is handled.
  void start(std::vector<dispatch::InferenceRequest> requests, http::Exchange& exchange);
  // Nothing: all have ended. Requires: it was started, and the last call has been answered.
  boost::asio::awaitable<std::optional<Event>> next();
  // From now on next() tells of silences too. 0: of none.
  void tell_silence(const boost::asio::any_io_executor& executor, Duration silence);
  void cancel();

 private:
  void take(Event event);
  void watch(Duration left);

  dispatch::InferenceService& service_;
  std::vector<std::uint64_t> tickets_;  // 0: it has ended
  std::size_t open_ = 0;
  std::deque<Event> events_;
  std::function<void()> reader_;
  // One timer for all of a stream: a token only notes when it came.
  std::optional<boost::asio::steady_timer> timer_;
  Duration silence_{};
  TimePoint last_;
};

}  // namespace shoal::api::openai
