// Ends TLS (1.2 and newer) in front of a listener that speaks plain HTTP: accepts, shakes hands, and passes the bytes
// through a pair of sockets, the other of which goes to `hand_over` with the address of the client. Has a lane of its
// own, so that handshakes cost the clients of the main lane nothing. Bounded per address and in all before a handshake
// is paid for; a handshake has a deadline. Owned by the app; its members are called on the owner's thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "engine/core/result.hpp"
#include "server/core/log.hpp"
#include "server/net/peer_limits.hpp"

namespace shoal::net {

struct TlsOptions {
  std::string address;
  std::uint16_t port = 0;  // 0: any free one
  std::filesystem::path chain;
  std::filesystem::path key;
  std::filesystem::path client_authority = {};  // clients must show a certificate of it; empty: none is asked for
  PeerLimits::Limits limits;
  std::chrono::milliseconds handshake_timeout{5000};
  std::chrono::milliseconds idle_timeout{120'000};  // neither way a byte: agents say something every second
};

class TlsFront {
 public:
  // Called on the front's lane with the descriptor of a connected stream socket, which is the callee's from then on.
  using HandOver = std::function<void(int socket, std::string peer)>;

  TlsFront(TlsOptions options, HandOver hand_over, Log log);
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;
  // Cuts what is left.
  ~TlsFront();

  // kUnavailable when the address cannot be bound, kInvalidArgument when certificate or key cannot be used.
  Status listen();
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::uint16_t port_ = 0;
};

}  // namespace shoal::net
