#include "server/api/openai/choice_stream.hpp"

#include <algorithm>
#include <utility>

#include "server/api/http/called_back.hpp"

namespace shoal::api::openai {

using dispatch::InferenceResponse;

void ChoiceStream::start(std::vector<dispatch::InferenceRequest> requests, http::Exchange& exchange) {
  // The service must not keep it: letting go of it is what cancels.
  const std::weak_ptr<ChoiceStream> weak = weak_from_this();
  open_ = requests.size();
  for (dispatch::InferenceRequest& request : requests) {
    const std::size_t choice = tickets_.size();
    request.partial = [weak, choice](InferenceResponse response, std::function<void()> more) {
      if (const auto self = weak.lock()) {
        self->take({.choice = choice, .response = std::move(response), .is_last = false, .more = std::move(more)});
      }
    };
    tickets_.push_back(service_.submit(std::move(request), [weak, choice](Result<InferenceResponse> result) {
      if (const auto self = weak.lock()) {
        self->tickets_[choice] = 0;
        --self->open_;
        self->take({.choice = choice, .response = std::move(result), .is_last = true});
      }
    }));
  }
  exchange.on_disconnect = [weak] {
    if (const auto self = weak.lock()) {
      self->cancel();
    }
  };
}

void ChoiceStream::cancel() {
  for (std::uint64_t& ticket : tickets_) {
    if (ticket != 0) {
      service_.cancel(std::exchange(ticket, 0));
    }
  }
}

void ChoiceStream::tell_silence(const boost::asio::any_io_executor& executor, Duration silence) {
  if (silence > Duration::zero()) {
    silence_ = silence;
    last_ = Clock::now();
    timer_.emplace(executor);
    watch(silence);
  }
}

void ChoiceStream::watch(Duration left) {
  timer_->expires_after(left);
  timer_->async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = error ? nullptr : weak.lock();
    if (self == nullptr) {
      return;
    }
    const TimePoint now = Clock::now();
    if (self->reader_ && now - self->last_ >= self->silence_) {
      self->take({.choice = 0, .response = {}, .is_silence = true});
    }
    self->watch(std::max<Duration>(self->silence_ - (now - self->last_), std::chrono::milliseconds(1)));
  });
}

void ChoiceStream::take(Event event) {
  last_ = Clock::now();
  events_.push_back(std::move(event));
  if (const auto reader = std::exchange(reader_, nullptr)) {
    reader();
  }
}

boost::asio::awaitable<std::optional<ChoiceStream::Event>> ChoiceStream::next() {
  const auto self = shared_from_this();
  if (events_.empty() && open_ == 0) {
    co_return std::nullopt;
  }
  if (events_.empty()) {
    co_await http::called_back<bool>([&](auto done) { reader_ = [done = std::move(done)]() mutable { done(true); }; });
  }
  Event event = std::move(events_.front());
  events_.pop_front();
  if (const auto more = std::exchange(event.more, nullptr)) {
    more();
  }
  co_return event;
}

}  // namespace shoal::api::openai
