#include "server/webdriver/remote_end.hpp"

#include <utility>

#include "server/net/deadline.hpp"
#include "server/webdriver/client.hpp"

namespace shoal::webdriver {

namespace asio = boost::asio;

RemoteEnd::RemoteEnd(const asio::any_io_executor& executor, RemoteEndSpec spec, Log log)
    : spec_(std::move(spec)), log_(std::move(log)), pause_(executor) {}

asio::awaitable<Result<Endpoint>> RemoteEnd::start(TimePoint /*deadline*/) { co_return spec_.endpoint; }

void RemoteEnd::session_opened(const std::string& id) {
  session_ = id;
  ++session_count_;
}

void RemoteEnd::session_closed() {
  session_.clear();
  pause_.cancel();
}

asio::awaitable<Status> RemoteEnd::kill_browser(TimePoint /*deadline*/) { co_return Status(); }

// A session that is not deleted keeps its place in the grid until the grid's own timeout, five minutes by default.
asio::awaitable<void> RemoteEnd::end(TimePoint deadline) {
  if (session_.empty()) {
    co_return;
  }
  Command command = delete_session(std::exchange(session_, std::string()));
  pause_.cancel();
  const auto deleted = co_await Client(spec_.endpoint).send(std::move(command), deadline);
  if (!deleted && deleted.error().code != Code::kNotFound) {
    log_.warn("remote_session_left", {{"url", url_of(spec_.endpoint)}, {"what", deleted.error().message}});
  }
}

asio::awaitable<void> RemoteEnd::attend() {
  const std::uint64_t attended = run_number();
  const Client client(spec_.endpoint);
  bool was_answered = true;
  while (attended != 0 && run_number() == attended) {
    const auto answer = co_await client.send(get_timeouts(session_), Clock::now() + spec_.keep_alive);
    if (run_number() != attended) {
      break;
    }
    if (!answer && std::exchange(was_answered, false)) {
      log_.warn("remote_session_unattended", {{"url", url_of(spec_.endpoint)}, {"what", answer.error().message}});
    } else if (answer && !std::exchange(was_answered, true)) {
      log_.info("remote_session_attended", {{"url", url_of(spec_.endpoint)}});
    }
    pause_.expires_after(spec_.keep_alive);
    co_await net::wait(pause_);
  }
}

}  // namespace shoal::webdriver
