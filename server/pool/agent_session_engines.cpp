// Of an AgentSession: the connections of engine workers, and the answers of both ways.
#include <utility>

#include "server/core/backend.hpp"
#include "server/pool/agent_session.hpp"

namespace shoal::pool {

using agent::v1::Envelope;

namespace {

// Of one connection, until its coroutine ends, however it ends. The next one of the same backend takes it over.
class Seat {
 public:
  Seat(std::map<std::string, net::WebSocket*>& seats, std::string backend, net::WebSocket& socket)
      : seats_(seats), backend_(std::move(backend)), socket_(&socket) {
    if (net::WebSocket* const former = std::exchange(seats_[backend_], socket_); former != nullptr) {
      former->abort();
    }
  }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  ~Seat() {
    if (is_taken()) {
      seats_.erase(backend_);
    }
  }

  [[nodiscard]] bool is_taken() const {
    const auto found = seats_.find(backend_);
    return found != seats_.end() && found->second == socket_;
  }

 private:
  std::map<std::string, net::WebSocket*>& seats_;
  std::string backend_;
  net::WebSocket* socket_;
};

}  // namespace

boost::asio::awaitable<void> AgentSession::serve_engine(net::WebSocket& socket, std::string backend) {
  if (!backend_from(backend)) {
    socket.close(kCloseProtocol, "no engine is called so");
    co_return;
  }
  const Seat seat(engines_, std::move(backend), socket);
  for (;;) {
    const Result<std::string_view> message = co_await socket.read();
    if (!message || !seat.is_taken()) {
      co_return;
    }
    if (const Status handled = handle_engine(*message); !handled) {
      log_.warn("agent_protocol_error", {{"what", handled.error().message}});
      socket.close(kCloseProtocol, handled.error().message);
      close(kCloseProtocol, handled.error().message);
      co_return;
    }
  }
}

bool AgentSession::send_to_engine(const std::string& backend, const Envelope& run,
                                  const std::shared_ptr<const std::vector<Tensor>>& inputs) {
  const auto own = engines_.find(backend);
  if (own == engines_.end() || total_bytes(*inputs) > wire::kMaxChunkBytes || table_.holds_any(backend)) {
    return false;
  }
  Outbox single;
  single.add(run, inputs);
  return own->second->send(*single.next_frame()).has_value();
}

Status AgentSession::handle_engine(std::string_view message) {
  Result<wire::Frame> frame = wire::decode_frame(message);
  if (!frame) {
    return fail(std::move(frame.error()));
  }
  if (!frame->envelope.has_output() || !frame->envelope.output().has_end()) {
    return fail(Code::kInvalidArgument, "a message on an engine's connection that is no whole answer");
  }
  return take_output(*frame);
}

Status AgentSession::take_output(const wire::Frame& frame) {
  const std::uint64_t work_id = frame.envelope.work_id();
  const agent::v1::Output& output = frame.envelope.output();
  if (const Status taken = answer(table_.output(work_id, output, frame.payload)); !taken || !output.has_end()) {
    return taken;
  }
  // Whoever was told of the output may have cancelled the work: the agent answers it all the same.
  return answer(table_.end(work_id, output.end()));
}

void AgentSession::drop_engines() {
  for (const auto& [backend, socket] : std::exchange(engines_, {})) {
    socket->abort();
  }
}

bool AgentSession::is_said_again(const Envelope& envelope) {
  const auto found = answered_.find(envelope.work_id());
  if (found == answered_.end()) {
    return false;
  }
  if (envelope.has_end() || envelope.has_error() || (envelope.has_output() && envelope.output().has_end())) {
    answered_.erase(found);
  }
  return envelope.has_output() || envelope.has_chunk() || envelope.has_end() || envelope.has_error();
}

}  // namespace shoal::pool
