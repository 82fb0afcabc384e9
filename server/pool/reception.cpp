#include "server/pool/reception.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/field.hpp>
#include <utility>

#include "server/net/deadline.hpp"
#include "server/net/websocket.hpp"
#include "server/pool/device_reception.hpp"
#include "server/pool/greeting.hpp"
#include "server/wire/frame.hpp"

namespace shoal::pool {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kSubprotocol = "shoal.agent.v1";
constexpr std::string_view kForbidden =
    "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 27\r\nConnection: close\r\n\r\n"
    "this Origin is not allowed\n";

asio::awaitable<Result<std::size_t>> write_text(asio::ip::tcp::socket& socket, std::string_view text) {
  const auto [error, count] =
      co_await asio::async_write(socket, asio::buffer(text), asio::as_tuple(asio::use_awaitable));
  co_return error ? Result<std::size_t>(fail(Code::kUnavailable, error.message())) : count;
}

// A Hello or an Attach.
asio::awaitable<Result<agent::v1::Envelope>> read_first(net::WebSocket& socket) {
  const Result<std::string_view> message = co_await socket.read();
  if (!message) {
    co_return fail(message.error());
  }
  Result<wire::Frame> frame = wire::decode_frame(*message);
  if (!frame) {
    co_return fail(std::move(frame.error()));
  }
  if (!frame->envelope.has_hello() && !frame->envelope.has_attach()) {
    co_return fail(Code::kInvalidArgument, "the first message is not a hello");
  }
  co_return std::move(frame->envelope);
}

std::string welcome_to(Slot& slot, const PoolConfig& config) {
  agent::v1::Envelope envelope = welcome(slot.spec().name, config);
  agent::v1::Welcome& message = *envelope.mutable_welcome();
  message.set_wasm_threads(slot.spec().threads);
  message.set_resume_token(slot.new_resume_token());
  message.set_engine_token(slot.new_engine_token());
  const auto grace = std::chrono::duration_cast<std::chrono::milliseconds>(config.resume_grace);
  message.set_resume_ms(static_cast<std::uint32_t>(grace.count()));
  return wire::encode_frame(envelope);
}

// Whether the connection ended without a word: then the agent may come back with another one.
bool is_broken(std::string_view reason) { return reason.starts_with("the connection broke"); }

// The session on one connection, until that has ended.
asio::awaitable<void> conduct(net::WebSocket& socket, Slot& slot, std::shared_ptr<AgentSession> session) {
  const auto [reason, thrown] = co_await converse(*session, socket);
  if (session->is_on(socket)) {
    if (thrown || !is_broken(reason) || !slot.suspend(*session, reason)) {
      slot.detach(*session, reason, loss_of(reason));
      session->unbind();
    }
  }
  if (thrown) {
    std::rethrow_exception(thrown);
  }
}

asio::awaitable<void> begin_session(const Reception& reception, net::WebSocket& socket, Slot& slot,
                                    const agent::v1::Hello& hello) {
  auto session = std::make_shared<AgentSession>(socket, co_await asio::this_coro::executor, reception.config,
                                                slot.describe(hello), reception.log.with("slot", slot.spec().name));
  static_cast<void>(socket.send(welcome_to(slot, reception.config)));
  if (!slot.attach(session)) {
    socket.close(kCloseRefused, "the slot does not wait for an agent");
  }
  co_await conduct(socket, slot, std::move(session));
}

asio::awaitable<void> go_on(const Reception& reception, net::WebSocket& socket, Slot& slot,
                            const agent::v1::Hello& hello) {
  std::shared_ptr<AgentSession> session = slot.resume_session(hello.resume_token());
  if (session == nullptr) {
    reception.log.warn("agent_refused", {{"what", "the resume token is wrong, used or too late"}});
    socket.close(kCloseRefused, "the resume token is wrong, used or too late");
    co_await socket.write_loop();
    co_return;
  }
  static_cast<void>(socket.send(welcome_to(slot, reception.config)));
  session->resume(socket, {hello.holding().begin(), hello.holding().end()});
  co_await conduct(socket, slot, std::move(session));
}

asio::awaitable<void> serve_engine(const Reception& reception, net::WebSocket& socket,
                                   const agent::v1::Attach& attach) {
  Slot* slot = reception.find(attach.slot());
  const std::shared_ptr<AgentSession> session = slot == nullptr ? nullptr : slot->attached_session(attach.token());
  if (session == nullptr) {
    reception.log.warn("agent_refused", {{"what", "the engine token is wrong or too late"}});
    socket.close(kCloseRefused, "the engine token is wrong or too late");
    co_await socket.write_loop();
    co_return;
  }
  co_await converse_with_engine(*session, socket, attach.backend());
}

}  // namespace

std::string origin_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  return std::string(url.substr(0, scheme == std::string_view::npos ? 0 : url.find('/', scheme + 3)));
}

asio::awaitable<void> receive_agent(const Reception& reception, asio::ip::tcp::socket socket,
                                    net::UpgradeRequest request, std::string peer) {
  const TimePoint deadline = Clock::now() + reception.config.hello_timeout;
  const auto origin = request.find(boost::beast::http::field::origin);
  const auto is_in = [&](const std::vector<std::string>& origins) {
    return origin != request.end() && std::ranges::count(origins, origin->value()) > 0;
  };
  const bool is_known = is_in(reception.origins) || is_in(reception.config.join.origins);
  if (!is_known) {
    reception.log.warn("agent_refused", {{"what", "Origin"}});
    static_cast<void>(co_await net::with_deadline(deadline, "the refusal", write_text(socket, kForbidden)));
    co_return;
  }
  net::WebSocket websocket(std::move(socket), {}, &reception.traffic);
  const Status accepted = co_await net::with_deadline(deadline, "the handshake",
                                                      websocket.accept(std::move(request), std::string(kSubprotocol)));
  if (!accepted) {
    co_return;
  }
  const auto first = co_await net::with_deadline(deadline, "the hello", read_first(websocket));
  if (first && first->has_attach()) {
    co_await serve_engine(reception, websocket, first->attach());
    co_return;
  }
  const agent::v1::Hello* hello = first ? &first->hello() : nullptr;
  if (hello != nullptr && hello->slot() == kDeviceKind) {
    co_await receive_device(reception.devices, reception.config, websocket, *hello, peer, reception.log);
    co_return;
  }
  Slot* slot = hello != nullptr ? reception.find(hello->slot()) : nullptr;
  std::optional<Slot::Refusal> refusal;
  if (hello == nullptr) {
    refusal = {kCloseProtocol, first.error().message};
  } else if (slot == nullptr) {
    refusal = {kCloseRefused, "no such slot"};
  } else if (!hello->resume_token().empty()) {
    co_await go_on(reception, websocket, *slot, *hello);
    co_return;
  } else {
    refusal = slot->examine(*hello);
  }
  if (refusal) {
    reception.log.warn("agent_refused", {{"what", refusal->reason}});
    websocket.close(refusal->close_code, refusal->reason);
    co_await websocket.write_loop();
    co_return;
  }
  co_await begin_session(reception, websocket, *slot, *hello);
}

}  // namespace shoal::pool
