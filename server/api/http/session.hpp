// One HTTP connection: reads a request, has the router's handler answer it, writes the answer, and again while the
// client keeps the connection. Bounds header, body, chunks and every wait. While a handler runs the socket is watched:
// a client that goes away cancels its request. Nothing that a client sends makes run() throw. Main lane; the server
// owns it by shared_ptr until run() has ended. Bodies together are bounded too: above that a request is kOverloaded.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "server/api/http/router.hpp"
#include "server/api/http/server.hpp"
#include "server/api/http/site_policy.hpp"
#include "server/core/log.hpp"
#include "server/net/timed_stream.hpp"

namespace shoal::api::http {

// What all sessions of a server share; outlives them.
struct SessionContext {
  Router router;
  ServerOptions options;
  SitePolicy sites;
  boost::asio::thread_pool& cpu;
  Log log;
  bool draining = false;
  std::size_t held_bytes = 0;  // bodies of all requests that are being read or answered
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  // `peer` is the address of the other side.
  Session(boost::asio::ip::tcp::socket socket, SessionContext& context, std::string peer);

  boost::asio::awaitable<void> run();
  // Ends after the answer that is being made, or at once when there is none.
  void finish();
  // Ends now; a running handler is told that its client has gone.
  void cut();

 private:
  struct Incoming;  // a request whose header has been read

  boost::asio::awaitable<bool> wait_for_request();
  boost::asio::awaitable<bool> serve_one();
  boost::asio::awaitable<bool> read_body(Incoming& incoming, Response& refusal);
  boost::asio::awaitable<Response> handle(Incoming& incoming);
  boost::asio::awaitable<bool> write(Incoming& incoming, Response response);
  boost::asio::awaitable<bool> write_parts(Incoming& incoming, NextPart parts);
  // The handler, or what makes the parts of its answer, is running: the client is watched meanwhile.
  void begin_handling(Incoming& incoming);
  void end_handling();
  bool refuse_early(Incoming& incoming, Response& refusal) const;
  void read_ahead();
  void client_gone();

  net::TimedStream stream_;
  boost::beast::flat_buffer buffer_;
  SessionContext& context_;
  std::string peer_;
  Exchange* running_ = nullptr;       // while a handler runs
  std::function<void()> ahead_done_;  // of who waits for the read that is under way
  bool is_reading_ahead_ = false;
  bool has_ended_ = false;  // the client sends no more
  bool is_first_ = true;
  bool is_idle_ = false;
  bool is_gone_ = false;
};

}  // namespace shoal::api::http
