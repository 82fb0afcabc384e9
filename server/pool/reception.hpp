// What happens to a connection on /agent/ws: Origin, handshake, hello, and then the session until it ends. A connection
// that does not become a session is closed with a code and a reason within hello_timeout.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/log.hpp"
#include "server/net/upgrade.hpp"
#include "server/net/websocket.hpp"
#include "server/pool/config.hpp"
#include "server/pool/devices.hpp"
#include "server/pool/slot.hpp"

namespace shoal::pool {

struct Reception {
  const PoolConfig& config;
  std::vector<std::string> origins;             // that an agent page may have; anything else is 403
  std::function<Slot*(std::string_view)> find;  // by slot name
  Devices& devices;
  Log log;
  net::WebSocket::Traffic& traffic;
};

// `reception` and the slots outlive the coroutine. `peer` is the address that the connection came from.
boost::asio::awaitable<void> receive_agent(const Reception& reception, boost::asio::ip::tcp::socket socket,
                                           net::UpgradeRequest request, std::string peer);

// "http://127.0.0.1:8000" of "http://127.0.0.1:8000/agent/".
std::string origin_of(std::string_view url);

}  // namespace shoal::pool
