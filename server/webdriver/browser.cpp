#include "server/webdriver/browser.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>

#include "server/net/deadline.hpp"
#include "server/webdriver/client.hpp"

namespace shoal::webdriver {

namespace asio = boost::asio;
using asio::experimental::awaitable_operators::operator||;
using nlohmann::json;

namespace {

std::unique_ptr<Driver> make_driver(const asio::any_io_executor& executor,
                                    std::variant<LocalDriverSpec, RemoteEndSpec, TabSpec> spec, const Log& log) {
  if (auto* local = std::get_if<LocalDriverSpec>(&spec)) {
    return std::make_unique<LocalDriver>(executor, std::move(*local), log);
  }
  if (const auto* tab = std::get_if<TabSpec>(&spec)) {
    return std::make_unique<SharedDriver>(*tab);
  }
  return std::make_unique<RemoteEnd>(executor, std::get<RemoteEndSpec>(std::move(spec)), log);
}

// chromedriver says "localhost:PORT": looking that up would take a thread, and the browser listens on IPv4.
std::optional<Endpoint> devtools_of(const Session& session) {
  constexpr std::string_view kLocal = "localhost:";
  if (session.debugger.empty()) {
    return std::nullopt;
  }
  const std::string address =
      session.debugger.starts_with(kLocal) ? "127.0.0.1:" + session.debugger.substr(kLocal.size()) : session.debugger;
  const auto endpoint = parse_endpoint("http://" + address);
  return endpoint ? std::optional(*endpoint) : std::nullopt;
}

}  // namespace

Browser::Browser(asio::any_io_executor executor, BrowserSpec spec, Log log)
    : name_(std::move(spec.name)),
      capabilities_(std::move(spec.capabilities)),
      host_(std::holds_alternative<TabSpec>(spec.driver) ? std::get<TabSpec>(spec.driver).host : nullptr),
      driver_(make_driver(executor, std::move(spec.driver), log)),
      stopped_(executor, TimePoint::max()) {}

Browser::~Browser() = default;

asio::awaitable<Result<json>> Browser::send(Command command, TimePoint deadline) {
  auto first = co_await (Client(endpoint_).send(std::move(command), deadline) || net::wait(stopped_));
  if (first.index() == 0) {
    co_return std::move(std::get<0>(first));
  }
  co_return fail(Code::kCancelled, "stopped");
}

asio::awaitable<Status> Browser::open(std::string url, TimePoint deadline) {
  Result<Endpoint> endpoint = co_await driver_->start(deadline);
  if (!endpoint) {
    co_return fail(std::move(endpoint.error()));
  }
  endpoint_ = *std::move(endpoint);
  if (host_ != nullptr) {
    devtools_ = host_->devtools();
    capabilities_ = attached_capabilities(authority_of(*devtools_));
  }
  const auto value = co_await send(new_session(capabilities_), deadline);
  if (!value) {
    co_return fail(Error(value.error()).with("starting " + name_));
  }
  const Result<Session> session = parse_session(*value);
  if (!session) {
    co_return fail(session.error());
  }
  session_id_ = session->id;
  driver_->session_opened(session->id);
  version_ = session->browser_name + " " + session->browser_version;
  targets_.clear();
  if (host_ != nullptr) {
    co_return co_await new_tab(std::move(url), deadline);
  }
  devtools_ = root_pid() == 0 ? std::nullopt : devtools_of(*session);
  co_return co_await enter(std::move(url), deadline);
}

asio::awaitable<Status> Browser::enter(std::string url, TimePoint deadline) {
  if (devtools_) {
    const auto handle = co_await send(get_window(*session_id_), deadline);
    const auto target = handle ? parse_window(*handle) : Result<std::string>(fail(handle.error()));
    if (!target) {
      co_return fail(Error(target.error()).with("asking for the first tab"));
    }
    targets_ = {*target};
  }
  url_ = url;
  const auto opened = co_await send(navigate(*session_id_, url), deadline);
  co_return opened ? Status() : fail(Error(opened.error()).with("opening the agent page"));
}

asio::awaitable<Status> Browser::reload(std::string url, TimePoint deadline) {
  if (!session_id_) {
    co_return fail(Code::kUnavailable, "no session");
  }
  url_ = url;
  const auto opened = co_await send(navigate(*session_id_, url), deadline);
  co_return opened ? Status() : fail(Error(opened.error()).with("loading the agent page again"));
}

asio::awaitable<Status> Browser::new_tab(std::string url, TimePoint deadline) {
  if (!has_tabs()) {
    co_return fail(Code::kUnavailable, "no tabs to change");
  }
  const Client devtools(*devtools_);
  const auto made = co_await devtools.fetch(new_target(), deadline);
  const auto tab = made ? parse_target(*made) : Result<std::string>(fail(made.error()));
  if (!tab) {
    co_return fail(tab.error());
  }
  targets_.push_back(*tab);
  // Before any command that the driver would first ask the lost page about.
  while (targets_.size() > 1) {
    if (const auto closed = co_await devtools.fetch(close_target(targets_.front()), deadline); !closed) {
      co_return fail(Error(closed.error()).with("closing the lost tab"));
    }
    targets_.erase(targets_.begin());
  }
  if (const auto switched = co_await send(switch_to_window(*session_id_, *tab), deadline); !switched) {
    co_return fail(Error(switched.error()).with("switching to the new tab"));
  }
  co_return co_await reload(std::move(url), deadline);
}

asio::awaitable<Status> Browser::page_lives(TimePoint deadline) {
  if (!session_id_) {
    co_return fail(Code::kUnavailable, "no session");
  }
  const auto url = co_await send(get_url(*session_id_), deadline);
  if (!url) {
    co_return fail(url.error());
  }
  // A browser that outlives its page shows another one in its place.
  co_return *url == url_ ? Status() : fail(Code::kUnavailable, "the page is another one");
}

asio::awaitable<Status> Browser::drop(TimePoint deadline) {
  if (host_ != nullptr) {
    co_await leave(deadline);
    co_return Status();
  }
  if (!session_id_) {
    co_return fail(Code::kUnavailable, "no session to end");
  }
  // Killed before the driver is asked: it waits half a minute for a browser that hangs.
  if (const Status killed = co_await driver_->kill_browser(deadline); !killed) {
    co_return fail(killed.error());
  }
  const std::string session_id = *std::exchange(session_id_, std::nullopt);
  driver_->session_closed();
  auto deleted = co_await Client(endpoint_).send(delete_session(session_id), deadline);
  if (!deleted && deleted.error().code == Code::kUnavailable) {
    // geckodriver answers with what it met while it asked the dead browser, and has forgotten the session by then.
    deleted = co_await Client(endpoint_).send(delete_session(session_id), deadline);
  }
  // The driver may know by itself that the session has gone.
  co_return deleted || deleted.error().code == Code::kNotFound ? Status() : fail(deleted.error());
}

asio::awaitable<void> Browser::leave(TimePoint deadline) {
  const std::vector<std::string> targets = std::exchange(targets_, {});
  const std::optional<std::string> session_id = std::exchange(session_id_, std::nullopt);
  if (!host_->has_tabs()) {
    co_return;  // the browser has gone, and all of its tabs
  }
  for (const std::string& target : targets) {
    static_cast<void>(co_await Client(*devtools_).fetch(close_target(target), deadline));
  }
  if (session_id) {
    static_cast<void>(co_await Client(endpoint_).send(delete_session(*session_id), deadline));
  }
}

asio::awaitable<void> Browser::end(TimePoint deadline) {
  if (host_ != nullptr) {
    co_await leave(deadline);
  }
  session_id_.reset();
  co_await driver_->end(deadline);
}

asio::awaitable<void> Browser::end_and_forget(TimePoint deadline) {
  co_await end(deadline);
  driver_->forget();
}

void Browser::stop() {
  driver_->stop();
  stopped_.expires_at(TimePoint::min());
}

}  // namespace shoal::webdriver
