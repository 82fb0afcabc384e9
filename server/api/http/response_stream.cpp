#include "server/api/http/response_stream.hpp"

#include <utility>

#include "server/api/http/called_back.hpp"

namespace shoal::api::http {

using dispatch::InferenceResponse;

ResponseStream::~ResponseStream() { cancel(); }

void ResponseStream::start(dispatch::InferenceRequest request, bool is_decoupled, Exchange& exchange) {
  // The service must not keep it: letting go of it is what cancels.
  const std::weak_ptr<ResponseStream> weak = weak_from_this();
  if (is_decoupled) {
    request.partial = [weak](InferenceResponse response, std::function<void()> more) {
      if (const auto self = weak.lock()) {
        self->more_ = std::move(more);
        self->take(std::optional(std::move(response)));
      }
    };
  }
  ticket_ = service_.submit(std::move(request), [weak](Result<InferenceResponse> result) {
    const auto self = weak.lock();
    if (!self) {
      return;
    }
    self->ticket_ = 0;
    if (!result) {
      self->take(fail(std::move(result.error())));
    } else if (result->has_no_response) {
      self->take(std::nullopt);
    } else {
      self->take(std::optional(*std::move(result)));
    }
  });
  exchange.on_disconnect = [weak] {
    if (const auto self = weak.lock()) {
      self->cancel();
    }
  };
}

void ResponseStream::cancel() {
  if (const std::uint64_t ticket = std::exchange(ticket_, 0); ticket != 0) {
    service_.cancel(ticket);
  }
}

void ResponseStream::take(Next item) {
  if (const auto reader = std::exchange(reader_, nullptr)) {
    reader(std::move(item));
  } else {
    items_.push_back(std::move(item));
  }
}

boost::asio::awaitable<ResponseStream::Next> ResponseStream::next() {
  const auto self = shared_from_this();
  if (items_.empty() && ticket_ == 0) {
    co_return std::nullopt;
  }
  if (items_.empty()) {
    co_return co_await called_back<Next>([&](auto done) {
      reader_ = std::move(done);
      if (const auto more = std::exchange(more_, nullptr)) {
        more();
      }
    });
  }
  Next item = std::move(items_.front());
  items_.pop_front();
  co_return item;
}

}  // namespace shoal::api::http
