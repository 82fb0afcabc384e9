// The responses to several requests of one client, in the order in which they come. When the last owner lets go of it,
// what has not ended is cancelled. Main lane.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "server/api/http/message.hpp"
#include "server/dispatch/inference.hpp"

namespace shoal::api::openai {

class ChoiceStream : public std::enable_shared_from_this<ChoiceStream> {
 public:
  struct Event {
    std::size_t choice = 0;
    Result<dispatch::InferenceResponse> response;
    bool is_last = false;  // of its choice
    std::function<void()> more = {};
  };

  explicit ChoiceStream(dispatch::InferenceService& service) : service_(service) {}
  ChoiceStream(const ChoiceStream&) = delete;
  ChoiceStream& operator=(const ChoiceStream&) = delete;
  ~ChoiceStream() { cancel(); }

  // A client that goes away cancels all, as long as `exchange` is handled.
  void start(std::vector<dispatch::InferenceRequest> requests, http::Exchange& exchange);
  // Nothing: all have ended. Requires: it was started, and the last call has been answered.
  boost::asio::awaitable<std::optional<Event>> next();
  void cancel();

 private:
  void take(Event event);

  dispatch::InferenceService& service_;
  std::vector<std::uint64_t> tickets_;  // 0: it has ended
  std::size_t open_ = 0;
  std::deque<Event> events_;
  std::function<void()> reader_;
};

}  // namespace shoal::api::openai
