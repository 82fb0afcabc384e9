#include "server/app/tls_http.hpp"

#include <unistd.h>

#include <boost/asio/post.hpp>
#include <utility>

namespace shoal::app {

namespace asio = boost::asio;

struct TlsHttp::State {
  asio::any_io_executor main;
  api::http::Server server;
  std::unique_ptr<net::TlsFront> tls;
};

TlsHttp::TlsHttp(asio::any_io_executor main, asio::thread_pool& cpu, api::http::Router router,
                 api::http::ServerOptions options, net::TlsOptions tls, Log log)
    : state_(
          new State{.main = main, .server = {main, cpu, std::move(router), std::move(options), log}, .tls = nullptr}) {
  const auto hand_over = [state = std::weak_ptr(state_), main = std::move(main)](int socket, std::string peer) {
    asio::post(main, [state, socket, peer = std::move(peer)]() mutable {
      if (const auto alive = state.lock()) {
        alive->server.adopt(socket, std::move(peer));
      } else {
        ::close(socket);
      }
    });
  };
  state_->tls = std::make_unique<net::TlsFront>(std::move(tls), hand_over, std::move(log));
}

TlsHttp::~TlsHttp() = default;

Status TlsHttp::listen() {
  Status status = state_->tls->listen();
  if (status) {
    state_->server.serve_behind(port());
  }
  return status;
}

std::uint16_t TlsHttp::port() const { return state_->tls->port(); }

void TlsHttp::set_cors(api::http::CorsPolicy cors) { state_->server.set_cors(std::move(cors)); }

void TlsHttp::drain(TimePoint deadline, std::function<void()> done) {
  state_->server.drain(deadline, [state = state_, done = std::move(done)] {
    state->tls.reset();
    done();
  });
}

}  // namespace shoal::app
