#include "server/pool/device_reception.hpp"

#include <exception>
#include <utility>

#include "server/pool/greeting.hpp"
#include "server/wire/frame.hpp"

namespace shoal::pool {

namespace asio = boost::asio;

namespace {

std::string welcome_to(const DeviceSpec& spec, const PoolConfig& config) {
  agent::v1::Envelope envelope = welcome(spec.name, config);
  agent::v1::Welcome& message = *envelope.mutable_welcome();
  message.set_tier(std::string(tier_name(spec.tier)));
  message.set_device_key(spec.new_key);
  return wire::encode_frame(envelope);
}

WorkerState state_of(const Device& device, const agent::v1::Hello& hello) {
  WorkerState state = worker_state(device.spec().name, device.spec().backends, hello);
  state.tier = device.spec().tier;
  state.is_device = true;
  state.memory_budget = device.memory_budget();
  return state;
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
  AgentSession session(socket, co_await asio::this_coro::executor, config, state_of(device, hello),
                       log.with("slot", device.spec().name));
  static_cast<void>(socket.send(welcome_to(device.spec(), config)));
  if (!device.attach(session)) {
    socket.close(kCloseLater, "the server stops");
  }
  const auto [reason, thrown] = co_await converse(session, socket);
  device.detach(session, reason, loss_of(reason));
  if (thrown) {
    std::rethrow_exception(thrown);
  }
}

}  // namespace shoal::pool
