// What happens to a connection whose hello says that it is a device: it is let in or refused, and then its session
// until it ends.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <boost/asio/awaitable.hpp>
#include <string>

#include "server/core/log.hpp"
#include "server/net/websocket.hpp"
#include "server/pool/config.hpp"
#include "server/pool/devices.hpp"

namespace shoal::pool {

// All references outlive the coroutine.
boost::asio::awaitable<void> receive_device(Devices& devices, const PoolConfig& config, net::WebSocket& socket,
                                            const agent::v1::Hello& hello, const std::string& peer, const Log& log);

}  // namespace shoal::pool
