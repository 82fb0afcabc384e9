// An HTTP/1.1 listener: accepts up to Limits::connections sockets, each a session (session.hpp) that answers from a
// router. Two of them run: the public one and the metrics page. Owned by the app; main lane. After drain() no new
// socket is taken, idle ones are closed, and answers carry "Connection: close".
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/api/http/cors.hpp"
#include "server/api/http/router.hpp"
#include "server/api/services.hpp"
#include "server/auth/gate.hpp"
#include "server/core/clock.hpp"
#include "server/core/log.hpp"
#include "server/net/upgrade.hpp"

namespace shoal::api::http {

// Takes over the socket of a WebSocket upgrade to /agent/ws, whose Host and Origin have been checked.
// The text is the address of the other side.
using Upgrade = std::function<void(boost::asio::ip::tcp::socket, net::UpgradeRequest, std::string)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8000;              // 0: any free one
  std::vector<std::string> public_hosts;  // "host[:port]" that browsers may use beside loopback
  CorsPolicy cors = {};                   // the other sites whose pages may use the inference routes
  Limits limits;
  Upgrade upgrade;                       // empty: there is no /agent/ws
  metrics::Families* metrics = nullptr;  // counts the answers; null: nobody does
  auth::Gate* gate = nullptr;            // asks for keys; null: nobody does
};

class Server {
 public:
  Server(boost::asio::any_io_executor main, boost::asio::thread_pool& cpu, Router router, ServerOptions options,
         Log log);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Requires: stop() has been called and the lane has run, or listen() never was.
  ~Server();

  // kUnavailable, naming address and port, when it cannot be bound.
  Status listen();
  // Instead: serves only the sockets that adopt() is given, whose clients see them at `port`.
  void serve_behind(std::uint16_t port);
  // For requests that come from now on.
  void set_cors(CorsPolicy cors);
  // A connected stream socket, which is the server's from then on; `peer` is the address of its client.
  void adopt(int socket, std::string peer);
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::size_t connection_count() const;

  // `done` is called once all sessions are gone; those left at the deadline are cut.
  void drain(TimePoint deadline, std::function<void()> done);
  // Closes everything now.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace shoal::api::http
