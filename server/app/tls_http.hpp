// An HTTP server behind TLS, on an address and port of its own: routes of the caller's choice, the same sessions. Owned
// by the app; main lane. The TLS part has its own lane.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "engine/core/result.hpp"
#include "server/api/http/server.hpp"
#include "server/net/tls_front.hpp"

namespace shoal::app {

class TlsHttp {
 public:
  // `options.address` and `.port` are those of `tls`.
  TlsHttp(boost::asio::any_io_executor main, boost::asio::thread_pool& cpu, api::http::Router router,
          api::http::ServerOptions options, net::TlsOptions tls, Log log);
  TlsHttp(const TlsHttp&) = delete;
  TlsHttp& operator=(const TlsHttp&) = delete;
  ~TlsHttp();

  // As TlsFront::listen().
  Status listen();
  [[nodiscard]] std::uint16_t port() const;
  void set_cors(api::http::CorsPolicy cors);
  // As Server's; no new connection is taken from now on.
  void drain(TimePoint deadline, std::function<void()> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace shoal::app
