// What every agent is told and asked first, whether its browser was launched or joined, and the life of its session on
// one connection. Main lane.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <boost/asio/awaitable.hpp>
#include <exception>
#include <span>
#include <string>

#include "server/net/websocket.hpp"
#include "server/pool/agent_session.hpp"
#include "server/pool/config.hpp"

namespace shoal::pool {

// With the slot and the interval of heartbeats.
agent::v1::Envelope welcome(const std::string& slot, const PoolConfig& config);

// `allowed`: backends that this worker may offer.
WorkerState worker_state(const std::string& slot, std::span<const Backend> allowed, const agent::v1::Hello& hello);

struct SessionEnd {
  std::string reason;
  std::exception_ptr thrown;  // cancelled, or a bug: the work in hand is to be answered all the same, then rethrown
};
// Until the connection has ended.
boost::asio::awaitable<SessionEnd> converse(AgentSession& session, net::WebSocket& socket);

// The same on an engine's own connection, whose end is not the session's.
boost::asio::awaitable<void> converse_with_engine(AgentSession& session, net::WebSocket& socket, std::string backend);

}  // namespace shoal::pool
