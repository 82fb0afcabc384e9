#include "server/net/tls_front.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <utility>

#include "server/net/deadline.hpp"
#include "server/net/lane.hpp"
#include "server/net/task_group.hpp"

namespace shoal::net {

namespace asio = boost::asio;
using asio::experimental::awaitable_operators::operator||;
using asio::ip::tcp;
using Plain = asio::local::stream_protocol::socket;
using Secure = asio::ssl::stream<tcp::socket>;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kBufferBytes = std::size_t{64} << 10;

// Forward secrecy only; TLS 1.3's own suites are all of that kind.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

// Until one side ends or fails; `moved` says when bytes last did.
template <class From, class To>
asio::awaitable<void> pump(From& from, To& to, TimePoint& moved) {
  std::string buffer(kBufferBytes, '\0');
  for (;;) {
    const auto [read_error, size] = co_await from.async_read_some(asio::buffer(buffer), kNoThrow);
    if (read_error) {
      co_return;
    }
    const auto [write_error, written] = co_await asio::async_write(to, asio::buffer(buffer.data(), size), kNoThrow);
    if (write_error) {
      co_return;
    }
    moved = Clock::now();
  }
}

asio::awaitable<void> until_idle(const TimePoint& moved, Duration limit) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (Clock::now() - moved < limit) {
    timer.expires_at(moved + limit);
    co_await wait(timer);
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
      co_return;
    }
  }
}

asio::awaitable<Result<bool>> shake_hands(Secure& stream) {
  const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::server, kNoThrow);
  co_return error ? Result<bool>(fail(Code::kUnavailable, error.message())) : true;
}

asio::awaitable<Result<bool>> say_goodbye(Secure& stream) {
  const auto [error] = co_await stream.async_shutdown(kNoThrow);
  co_return !error;
}

}  // namespace

struct TlsFront::State {
  State(TlsOptions the_options, HandOver the_hand_over, Log the_log)
      : options(std::move(the_options)),
        hand_over(std::move(the_hand_over)),
        log(std::move(the_log)),
        limits(options.limits),
        lane("tls"),
        acceptor(lane.context()),
        tasks(lane.executor(), log) {}

  Status prepare();
  asio::awaitable<void> accept_loop();
  asio::awaitable<void> serve(tcp::socket socket, std::string peer);

  TlsOptions options;
  HandOver hand_over;
  Log log;
  PeerLimits limits;
  asio::ssl::context context{asio::ssl::context::tls_server};
  Lane lane;
  tcp::acceptor acceptor;
  TaskGroup tasks;
};

Status TlsFront::State::prepare() {
  boost::system::error_code error;
  context.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                      asio::ssl::context::no_tlsv1_1 | asio::ssl::context::no_sslv3 |
                      asio::ssl::context::no_compression);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  if (SSL_CTX_set_cipher_list(context.native_handle(), kCiphers) != 1) {
    return fail(Code::kInternal, "TLS: no cipher is known");
  }
  const auto unusable = [&](const std::filesystem::path& file, const char* setting) {
    return fail(Code::kInvalidArgument, fmt::format("{}: cannot use {}: {}", setting, file.string(), error.message()),
                setting);
  };
  context.use_certificate_chain_file(options.chain.string(), error);
  if (error) {
    return unusable(options.chain, "tls.certificate");
  }
  context.use_private_key_file(options.key.string(), asio::ssl::context::pem, error);
  if (error) {
    return unusable(options.key, "tls.key");
  }
  if (!options.client_authority.empty()) {
    context.load_verify_file(options.client_authority.string(), error);
    if (error) {
      return unusable(options.client_authority, "tls.client_authority");
    }
    context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  }
  const auto step = [&](auto&& action) {
    if (!error) {
      action();
    }
  };
  const auto address = asio::ip::make_address(options.address, error);
  const tcp::endpoint endpoint(address, options.port);
  step([&] { acceptor.open(endpoint.protocol(), error); });
  step([&] { acceptor.set_option(tcp::acceptor::reuse_address(true), error); });
  step([&] { acceptor.bind(endpoint, error); });
  step([&] { acceptor.listen(asio::socket_base::max_listen_connections, error); });
  return error ? fail(Code::kUnavailable,
                      fmt::format("cannot listen on {} port {}: {}", options.address, options.port, error.message()))
               : Status();
}

asio::awaitable<void> TlsFront::State::accept_loop() {
  asio::steady_timer retry(lane.executor());
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kNoThrow);
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
      co_return;
    }
    if (error) {
      retry.expires_after(std::chrono::milliseconds(50));
      co_await wait(retry);
      continue;
    }
    boost::system::error_code ignored;
    std::string peer = socket.remote_endpoint(ignored).address().to_string();
    // Closed without a word: an answer would cost a handshake, which is what the limits are for.
    if (!limits.enter(peer, Clock::now())) {
      continue;
    }
    if (!tasks.spawn("TLS connection", serve(std::move(socket), peer))) {
      limits.leave(peer);
    }
  }
}

asio::awaitable<void> TlsFront::State::serve(tcp::socket socket, std::string peer) {
  struct Place {
    PeerLimits& limits;
    const std::string& peer;
    Place(PeerLimits& of, const std::string& who) : limits(of), peer(who) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { limits.leave(peer); }
  };
  const Place place(limits, peer);
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  Secure stream(std::move(socket), context);
  if (!co_await with_deadline(Clock::now() + options.handshake_timeout, "the TLS handshake", shake_hands(stream))) {
    co_return;
  }
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    log.warn("tls_connection_refused", {{"what", "no descriptor is left"}});
    co_return;
  }
  Plain plain(lane.executor(), asio::local::stream_protocol(), ends[0]);
  hand_over(ends[1], peer);
  TimePoint moved = Clock::now();
  // The first way that ends takes the other with it: what the server has sent has been passed on by then.
  co_await (pump(stream, plain, moved) || pump(plain, stream, moved) || until_idle(moved, options.idle_timeout));
  co_await with_deadline(Clock::now() + std::chrono::seconds(1), "the TLS shutdown", say_goodbye(stream));
}

TlsFront::TlsFront(TlsOptions options, HandOver hand_over, Log log)
    : state_(std::make_unique<State>(std::move(options), std::move(hand_over), std::move(log))) {}

TlsFront::~TlsFront() {
  std::promise<void> closed;
  asio::post(state_->lane.context(), [this, &closed] {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    asio::co_spawn(state_->lane.context(), state_->tasks.close(),
                   [&closed](const std::exception_ptr&) { closed.set_value(); });
  });
  closed.get_future().wait();
  state_->lane.stop();
}

Status TlsFront::listen() {
  if (Status status = state_->prepare(); !status) {
    return status;
  }
  port_ = state_->acceptor.local_endpoint().port();
  asio::post(state_->lane.context(), [this] { state_->tasks.spawn("TLS accept", state_->accept_loop()); });
  return {};
}

}  // namespace shoal::net
