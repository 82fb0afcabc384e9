#include "server/pool/device_reception.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <exception>
#include <utility>

#include "server/wire/agent_messages.hpp"
#include "server/wire/frame.hpp"

namespace shoal::pool {

namespace asio = boost::asio;
using asio::experimental::awaitable_operators::operator&&;

namespace {

std::string welcome(const DeviceSpec& spec, const PoolConfig& config) {
  agent::v1::Envelope envelope;
  agent::v1::Welcome& message = *envelope.mutable_welcome();
  message.set_worker_id(spec.name);
  const auto interval = std::chrono::duration_cast<std::chrono::milliseconds>(config.heartbeat_interval);
  message.set_heartbeat_ms(static_cast<std::uint32_t>(interval.count()));
  message.set_tier(std::string(tier_name(spec.tier)));
  message.set_device_key(spec.new_key);
  return wire::encode_frame(envelope);
}

WorkerState worker_state(const Device& device, const agent::v1::Hello& hello) {
  wire::BackendProbe probe = wire::probe_backends(hello.capabilities(), device.spec().backends);
  return {.slot = device.spec().name,
          .backends = std::move(probe.usable),
          .why_not = std::move(probe.why_not),
          .adapter = std::move(probe.adapter),
          .browser = std::string(wire::cut_text(hello.user_agent(), 512)),
          .tier = device.spec().tier,
          .is_device = true,
          .memory_budget = device.memory_budget()};
}

}  // namespace

asio::awaitable<void> receive_device(Devices& devices, const PoolConfig& config, net::WebSocket& socket,
                                     const agent::v1::Hello& hello, const std::string& peer, const Log& log) {
  const auto seat = devices.admit(hello, peer, Clock::now());
  if (!seat) {
    log.warn("agent_refused", {{"what", seat.error().reason}, {"peer", peer}});
    socket.close(seat.error().close_code, seat.error().reason);
    co_await socket.write_loop();
    co_return;
  }
  Device& device = seat->device();
  AgentSession session(socket, co_await asio::this_coro::executor, config, worker_state(device, hello),
                       log.with("slot", device.spec().name));
  static_cast<void>(socket.send(welcome(device.spec(), config)));
  if (!device.attach(session)) {
    socket.close(kCloseLater, "the server stops");
  }
  std::string reason = "the server stops";
  std::exception_ptr thrown;
  try {
    reason = co_await (session.serve() && socket.write_loop());
  } catch (...) {
    thrown = std::current_exception();  // cancelled, or a bug: the work in hand is answered all the same
  }
  device.detach(session, reason, loss_of(reason));
  if (thrown) {
    std::rethrow_exception(thrown);
  }
}

}  // namespace shoal::pool
