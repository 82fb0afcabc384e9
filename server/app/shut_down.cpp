// The app's end: accepted requests are answered, then everything is taken down in order.
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <exception>

#include "server/app/event.hpp"
#include "server/app/parts.hpp"

namespace shoal::app {

namespace asio = boost::asio;

void App::Parts::watch_signals() {
  signals.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) {
      return;
    }
    watch_signals();
    if (signal == SIGHUP) {
      static_cast<void>(reload());
    } else {
      stop(signal);
    }
  });
}

void App::Parts::stop(int signal) {
  if (is_stopping) {
    log.warn("stopping_now", {{"signal", signal}});
    _exit(1);  // supervisors see their pipes close and take the browsers down
  }
  is_stopping = true;
  log.info("draining", {{"signal", signal}, {"requests", dispatcher.open_requests() + sequences.waiting()}});
  asio::co_spawn(main.executor(), shut_down(signal), [](const std::exception_ptr& failure) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  });
}

asio::awaitable<void> App::Parts::shut_down(int signal) {
  // Somebody at the keyboard sends by Ctrl-C, and needs no balancer to notice.
  const Duration grace = lifecycle.shut_down(signal == SIGINT ? Duration{} : Duration(settings.drain_grace));
  if (grace > Duration{}) {
    log.info("leaving", {{"grace_ms", grace / std::chrono::milliseconds(1)}});
    asio::steady_timer timer(main.executor(), grace);
    co_await timer.async_wait(asio::use_awaitable);
  }
  const TimePoint deadline = Clock::now() + settings.drain_timeout;
  Event idle(main.executor());
  sequences.drain([this, &idle] { dispatcher.drain([&idle] { idle.set(); }); });
  if (!co_await idle.wait_until(deadline)) {
    log.warn("drain_timeout", {{"unanswered", dispatcher.open_requests() + sequences.waiting()}});
    exit_status = 1;
    const Error late{Code::kUnavailable, "the server shut down before the request was answered", {}};
    sequences.abandon(late);
    dispatcher.abandon(late);
  }
  // Answers are on their way to the sockets; idle connections are closed at once.
  const TimePoint flush = Clock::now() + std::chrono::seconds(2);
  Event http_done(main.executor());
  Event metrics_done(main.executor());
  Event grpc_done(main.executor());
  grpc->drain(flush, [&grpc_done] { grpc_done.set(); });
  http->drain(flush, [&http_done] { http_done.set(); });
  metrics_page->drain(flush, [&metrics_done] { metrics_done.set(); });
  const TimePoint never = TimePoint::max();
  Event join_done(main.executor());
  Event https_done(main.executor());
  if (https) {
    https->drain(flush, [&https_done] { https_done.set(); });
  } else {
    https_done.set();
  }
  if (join) {
    join->drain(flush, [&join_done] { join_done.set(); });
  } else {
    join_done.set();
  }
  co_await pool->close();
  co_await http_done.wait_until(never);
  co_await metrics_done.wait_until(never);
  co_await grpc_done.wait_until(never);
  co_await https_done.wait_until(never);
  co_await join_done.wait_until(never);
  models.stop();
  heap.stop();
  signals.cancel();
  if (keys) {
    keys->stop();
  }
  log.info("stopped");
  main.stop();
}

}  // namespace shoal::app
