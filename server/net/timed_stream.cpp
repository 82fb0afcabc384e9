#include "server/net/timed_stream.hpp"

namespace shoal::net {

boost::asio::ip::tcp::socket TimedStream::release_socket() {
  state_->expiry = TimePoint::max();
  return std::move(state_->socket);
}

void TimedStream::expires_at(TimePoint expiry) {
  state_->expiry = expiry;
  if (expiry < state_->armed_for) {
    state_->arm();
  }
}

void TimedStream::State::arm() {
  armed_for = expiry;
  timer.expires_at(expiry);
  timer.async_wait([weak = weak_from_this(), armed = expiry](const boost::system::error_code& error) {
    const std::shared_ptr<State> state = weak.lock();
    if (error || state == nullptr || state->armed_for != armed) {
      return;
    }
    state->armed_for = TimePoint::max();
    if (state->expiry <= Clock::now()) {
      state->has_expired = true;
      boost::system::error_code ignored;
      state->socket.close(ignored);
    } else if (state->expiry != TimePoint::max()) {
      state->arm();
    }
  });
}

}  // namespace shoal::net
