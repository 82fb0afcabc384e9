#include "server/app/lifecycle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/wire/agent_messages.hpp"

namespace shoal::app {

namespace v1 = shoal::admin::v1;

namespace {

constexpr std::size_t kMaxReasonBytes = 512;
constexpr std::uint64_t kMaxGraceMs = 3'600'000;
constexpr std::string_view kShuttingDown = "the server is shutting down";

}  // namespace

Lifecycle::Lifecycle(boost::asio::any_io_executor main, dispatch::SequenceGate& gate,
                     const dispatch::Dispatcher& dispatcher, std::function<Duration()> grace, Reload reload, Log log)
    : gate_(gate),
      dispatcher_(dispatcher),
      grace_(std::move(grace)),
      reload_(std::move(reload)),
      log_(std::move(log)),
      timer_(std::move(main)) {}

v1::Server Lifecycle::state() const {
  v1::Server server;
  server.set_version(SHOAL_VERSION);
  server.set_open_requests(open_requests());
  const Status ready = gate_.server_ready();
  server.set_ready(ready.has_value());
  if (!ready) {
    server.set_not_ready_reason(ready.error().message);
  }
  switch (stage_) {
    case Stage::kServing:
      server.set_state("serving");
      break;
    case Stage::kLeaving:
      server.set_state("leaving");
      server.set_grace_left_ms(microseconds_between(std::min(Clock::now(), closes_at_), closes_at_) / 1000);
      break;
    case Stage::kClosed:
      server.set_state(open_requests() > 0 ? "draining" : "drained");
      break;
  }
  server.set_reason(reason_);
  return server;
}

Result<v1::Server> Lifecycle::drain(const v1::DrainServerRequest& request) {
  if (is_shutting_down_) {
    return fail(Code::kUnavailable, std::string(kShuttingDown));
  }
  Duration grace = grace_();
  if (request.has_grace_ms()) {
    if (request.grace_ms() > kMaxGraceMs) {
      return fail(Code::kInvalidArgument,
                  fmt::format("grace_ms: expected at most an hour, got {} ms", request.grace_ms()), "grace_ms");
    }
    grace = std::chrono::milliseconds(static_cast<std::int64_t>(request.grace_ms()));
  }
  const std::string_view given = wire::cut_text(request.reason(), kMaxReasonBytes);
  leave(fmt::format("drained by an operator{}{}", given.empty() ? "" : ": ", given), grace);
  return state();
}

Result<v1::Server> Lifecycle::resume() {
  if (is_shutting_down_) {
    return fail(Code::kUnavailable, std::string(kShuttingDown));
  }
  if (stage_ != Stage::kServing) {
    log_.info("server_resumed");
  }
  timer_.cancel();
  stage_ = Stage::kServing;
  reason_.clear();
  gate_.set_leaving({});
  gate_.set_closed({});
  return state();
}

Duration Lifecycle::shut_down(Duration grace) {
  is_shutting_down_ = true;
  timer_.cancel();
  if (stage_ == Stage::kClosed) {
    return {};
  }
  if (stage_ == Stage::kLeaving) {
    grace = std::min(grace, std::max(closes_at_ - Clock::now(), Duration{}));
  }
  stage_ = Stage::kLeaving;
  reason_ = kShuttingDown;
  closes_at_ = Clock::now() + grace;
  gate_.set_leaving(reason_);
  return grace;
}

void Lifecycle::leave(std::string reason, Duration grace) {
  reason_ = std::move(reason);
  log_.info("server_draining",
            {{"reason", reason_}, {"grace_ms", grace / std::chrono::milliseconds(1)}, {"requests", open_requests()}});
  gate_.set_leaving(reason_);
  gate_.set_closed({});
  stage_ = Stage::kLeaving;
  closes_at_ = Clock::now() + grace;
  if (grace <= Duration{}) {
    close();
    return;
  }
  timer_.expires_at(closes_at_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    // A cancelled wait may have been on its way already.
    if (!error && stage_ == Stage::kLeaving && !is_shutting_down_ && Clock::now() >= closes_at_) {
      close();
    }
  });
}

void Lifecycle::close() {
  timer_.cancel();
  stage_ = Stage::kClosed;
  gate_.set_closed(reason_);
}

}  // namespace shoal::app
