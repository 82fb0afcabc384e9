// A WebSocket client on loopback and the server socket with the upgrade request that it sent, for tests of the server's
// end. Coroutines for one lane.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <memory>
#include <optional>
#include <string>

#include "server/net/upgrade.hpp"

namespace shoal::testing_support {

using Client = boost::beast::websocket::stream<boost::asio::ip::tcp::socket>;

struct Incoming {
  boost::asio::ip::tcp::socket socket;
  net::UpgradeRequest request;
};

inline boost::asio::awaitable<Incoming> accept_upgrade(boost::asio::ip::tcp::acceptor& acceptor) {
  boost::asio::ip::tcp::socket socket = co_await acceptor.async_accept(boost::asio::use_awaitable);
  boost::beast::flat_buffer buffer;
  net::UpgradeRequest request;
  co_await boost::beast::http::async_read(socket, buffer, request, boost::asio::use_awaitable);
  co_return Incoming{std::move(socket), std::move(request)};
}

// False when the server refuses the handshake.
inline boost::asio::awaitable<bool> connect(Client& client, boost::asio::ip::tcp::endpoint server, std::string origin) {
  co_await client.next_layer().async_connect(server, boost::asio::use_awaitable);
  client.set_option(boost::beast::websocket::stream_base::decorator(
      [origin = std::move(origin)](boost::beast::websocket::request_type& request) {
        request.set(boost::beast::http::field::origin, origin);
      }));
  client.binary(true);
  const auto [error] =
      co_await client.async_handshake("127.0.0.1", "/agent/ws", boost::asio::as_tuple(boost::asio::use_awaitable));
  co_return !error;
}

// The next message; nothing when the connection has ended.
inline boost::asio::awaitable<std::optional<std::string>> read_message(Client& client) {
  std::string message;
  auto buffer = boost::asio::dynamic_buffer(message);
  const auto [error, size] = co_await client.async_read(buffer, boost::asio::as_tuple(boost::asio::use_awaitable));
  if (error) {
    co_return std::nullopt;
  }
  co_return message;
}

inline boost::asio::awaitable<bool> write_message(Client& client, std::string message) {
  const auto [error, size] =
      co_await client.async_write(boost::asio::buffer(message), boost::asio::as_tuple(boost::asio::use_awaitable));
  co_return !error;
}

}  // namespace shoal::testing_support
