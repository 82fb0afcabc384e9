#include "server/api/http/server.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <list>
#include <utility>

#include "server/api/http/session.hpp"

namespace shoal::api::http {

namespace asio = boost::asio;
using asio::ip::tcp;

// Kept alive by the accept loop and by each session's completion.
struct Server::State : std::enable_shared_from_this<Server::State> {
  State(asio::any_io_executor main, asio::thread_pool& cpu, Router router, ServerOptions options, const Log& log)
      : executor(std::move(main)),
        acceptor(executor),
        cutoff(executor),
        retry(executor),
        context{.router = std::move(router), .options = std::move(options), .sites = {0, {}}, .cpu = cpu, .log = log} {}

  asio::awaitable<void> accept_loop();
  void start(tcp::socket socket, std::string peer);
  void ended(std::list<std::shared_ptr<Session>>::iterator session, const std::exception_ptr& error);
  void close_acceptor();
  void cut_all();
  void check_drained();

  asio::any_io_executor executor;
  tcp::acceptor acceptor;
  asio::steady_timer cutoff;
  asio::steady_timer retry;
  SessionContext context;
  std::list<std::shared_ptr<Session>> sessions;
  bool is_accepting = false;
  std::vector<std::function<void()>> on_drained;
};

asio::awaitable<void> Server::State::accept_loop() {
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
    if (!error) {
      boost::system::error_code ignored;
      std::string peer = socket.remote_endpoint(ignored).address().to_string();
      start(std::move(socket), std::move(peer));
      continue;
    }
    if (!acceptor.is_open()) {
      break;
    }
    // Out of descriptors: others will close theirs; without a pause this would spin.
    context.log.warn("http_accept_failed", {{"what", error.message()}});
    retry.expires_after(std::chrono::milliseconds(50));
    co_await retry.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void Server::State::start(tcp::socket socket, std::string peer) {
  if (sessions.size() >= context.options.limits.connections) {
    // Closed without an answer: writing one would take the very resources that have run out.
    context.log.warn("http_connection_refused", {{"connections", sessions.size()}});
    return;
  }
  const auto session =
      sessions.insert(sessions.end(), std::make_shared<Session>(std::move(socket), context, std::move(peer)));
  asio::co_spawn(executor, (*session)->run(), [self = shared_from_this(), session](const std::exception_ptr& error) {
    self->ended(session, error);
  });
}

void Server::State::ended(std::list<std::shared_ptr<Session>>::iterator session, const std::exception_ptr& error) {
  if (error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& failure) {
      context.log.error("http_session_failed", {{"what", failure.what()}});
    }
  }
  sessions.erase(session);
  check_drained();
}

void Server::State::close_acceptor() {
  boost::system::error_code ignored;
  acceptor.close(ignored);
  retry.cancel();
}

void Server::State::cut_all() {
  // A session that is cut may end at once, which takes it from the list.
  for (const auto& session : std::list(sessions)) {
    session->cut();
  }
}

void Server::State::check_drained() {
  if (!context.draining || !sessions.empty() || is_accepting) {
    return;
  }
  cutoff.cancel();
  for (auto& done : std::exchange(on_drained, {})) {
    asio::post(executor, std::move(done));
  }
}

Server::Server(asio::any_io_executor main, asio::thread_pool& cpu, Router router, ServerOptions options, Log log)
    : state_(std::make_shared<State>(std::move(main), cpu, std::move(router), std::move(options), log)) {}

Server::~Server() { stop(); }

Status Server::listen() {
  const ServerOptions& options = state_->context.options;
  boost::system::error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  const auto step = [&](auto&& action) {
    if (!error) {
      action();
    }
  };
  tcp::acceptor& acceptor = state_->acceptor;
  const tcp::endpoint endpoint(address, options.port);
  step([&] { acceptor.open(endpoint.protocol(), error); });
  step([&] { acceptor.set_option(tcp::acceptor::reuse_address(true), error); });
  step([&] { acceptor.bind(endpoint, error); });
  step([&] { acceptor.listen(asio::socket_base::max_listen_connections, error); });
  if (error) {
    state_->close_acceptor();
    return fail(Code::kUnavailable,
                fmt::format("cannot listen on {} port {}: {}", options.address, options.port, error.message()));
  }
  state_->context.sites = SitePolicy(port(), options.public_hosts);
  state_->is_accepting = true;
  asio::co_spawn(state_->executor, state_->accept_loop(), [state = state_](const std::exception_ptr&) {
    state->is_accepting = false;
    state->check_drained();
  });
  return {};
}

std::uint16_t Server::port() const {
  boost::system::error_code ignored;
  return state_->acceptor.is_open() ? state_->acceptor.local_endpoint(ignored).port() : state_->context.options.port;
}

void Server::serve_behind(std::uint16_t port) {
  state_->context.sites = SitePolicy(port, state_->context.options.public_hosts);
}

void Server::set_cors(CorsPolicy cors) { state_->context.options.cors = std::move(cors); }

void Server::adopt(int socket, std::string peer) {
  tcp::socket adopted(state_->executor);
  boost::system::error_code error;
  // Any stream socket behaves alike here; what only TCP has (no_delay, an address) is asked without effect.
  adopted.assign(tcp::v4(), socket, error);
  if (error) {
    ::close(socket);
  } else if (!state_->context.draining) {
    state_->start(std::move(adopted), std::move(peer));
  }
}

std::size_t Server::connection_count() const { return state_->sessions.size(); }

void Server::drain(TimePoint deadline, std::function<void()> done) {
  state_->context.draining = true;
  state_->on_drained.push_back(std::move(done));
  state_->close_acceptor();
  for (const auto& session : std::list(state_->sessions)) {
    session->finish();
  }
  if (deadline != kNoDeadline) {
    state_->cutoff.expires_at(deadline);
    state_->cutoff.async_wait([state = state_](const boost::system::error_code& error) {
      if (!error) {
        state->cut_all();
      }
    });
  }
  asio::post(state_->executor, [state = state_] { state->check_drained(); });
}

void Server::stop() {
  state_->context.draining = true;
  state_->close_acceptor();
  state_->cut_all();
}

}  // namespace shoal::api::http
