// The pool: keeps the configured number of browsers alive, turns each into a Worker, and tells the listener when one
// comes and goes. What a browser, its driver or its page does (crash, hang, speak another protocol) ends in
// worker_lost, typed answers for everything it had accepted, and a relaunch; never in an error of the pool itself.
// Lives on the main lane: every member is called there. Owned by the app, which awaits close() before destroying it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/log.hpp"
#include "server/net/upgrade.hpp"
#include "server/net/websocket.hpp"
#include "server/pool/agent_session.hpp"
#include "server/pool/browser_groups.hpp"
#include "server/pool/config.hpp"
#include "server/pool/devices.hpp"
#include "server/pool/event_log.hpp"
#include "server/pool/memory_pressure.hpp"
#include "server/pool/slot_view.hpp"
#include "server/pool/start_gate.hpp"
#include "server/pool/worker.hpp"

namespace shoal::pool {

class Pool {
 public:
  // `listener`, `events` and `cpu` (reads /proc there, off the lane) outlive the pool.
  Pool(boost::asio::any_io_executor main_lane, boost::asio::thread_pool& cpu, PoolConfig config, Log log,
       WorkerListener& listener, EventLog& events);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  // Before start(): where the pool learns what waits for workers; without, groups are never made larger.
  void set_demand(DemandOf demand);

  // What may change while browsers live: silences, load_timeout, the pace of scaling, wear, join.max_devices. Of
  // wear.max_memory_bytes set_memory_limit() takes care, slot by slot. All else of `config` is not looked at.
  void set_limits(const PoolConfig& config);

  // Starts the browsers. `agent_url` is the agent page's address on this machine, "http://127.0.0.1:8000/agent/"; it is
  // answered from now on. kInvalidArgument when the configuration cannot be run at all (unknown kind, no such file).
  Status start(std::string agent_url);

  // Takes an upgrade request for the agent's WebSocket (/agent/ws). Refuses a wrong Origin, token or protocol itself.
  // `peer`: the address that it came from.
  void accept(boost::asio::ip::tcp::socket socket, net::UpgradeRequest request, std::string peer = {});

  // Replaces a slot's browser; also leaves back-off and quarantine. kNotFound.
  Status recycle(std::string_view slot, std::string reason);
  // The same once the slot has finished what it has. The caller sees to it that it is given nothing more. kNotFound.
  Status recycle_when_idle(std::string_view slot, std::string reason);
  // The slot becomes "drained" once it has finished what it has, and stays so, with this browser and those that follow,
  // until resume(). The caller sees to it that it is given nothing. kNotFound.
  Status drain(std::string_view slot, std::string reason);
  Status resume(std::string_view slot);
  // Of its processes, for this browser and those that follow: a browser that takes more is replaced once it is idle.
  // kNotFound.
  Status set_memory_limit(std::string_view slot, std::uint64_t bytes);
  // SIGKILL to the driver and the browser; what follows is like any other loss. kNotFound; kUnavailable when
  // no process of it runs here: between two browsers, or when it is a remote one.
  Status kill(std::string_view slot);
  // As AgentSession::debug; also kNotFound, and kUnavailable while no agent is connected, at once.
  void debug(std::string_view slot, agent::v1::DebugRequest request, AgentSession::DebugDone done);
  // Of the agent that is connected; empty without one.
  [[nodiscard]] std::deque<AgentSession::MemorySample> memory_curve(std::string_view slot) const;

  // Those that join by URL. What is named by slot above knows them too; a device that is recycled or killed is
  // disconnected, and its page comes back by itself.
  [[nodiscard]] Devices& devices();

  [[nodiscard]] std::vector<SlotView> snapshot() const;
  [[nodiscard]] std::vector<BreakerView> breakers() const;
  [[nodiscard]] std::vector<GroupView> groups() const;
  // By the last measurement; nothing is measured without PoolConfig::monitors_memory.
  [[nodiscard]] const MemoryPressure& memory() const;
  // Of all agents' connections since the start.
  [[nodiscard]] net::WebSocket::Traffic traffic() const;

  // Ends every browser and driver and returns when no process and no coroutine is left. Each worker's accepted work is
  // answered with kWorkerLost; a caller that wants it answered waits before. Idempotent.
  boost::asio::awaitable<void> close();

 private:
  class Body;
  std::unique_ptr<Body> body_;
};

}  // namespace shoal::pool
