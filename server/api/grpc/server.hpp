// The gRPC front end: inference.GRPCInferenceService, grpc.health.v1.Health and shoal.admin.v1.Admin over a completion
// queue. One thread reads sockets and messages and enters the main lane with what it has read. Owned by the app; its
// functions are called from the main lane.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/core/result.hpp"
#include "server/api/services.hpp"
#include "server/auth/gate.hpp"
#include "server/core/clock.hpp"

namespace shoal::api::admin {
class AdminService;
}

namespace shoal::dispatch {
class ModelControl;
}

namespace shoal::api::grpc {

// A second port, by TLS. Contents of PEM files.
struct TlsPort {
  std::string address;
  std::uint16_t port = 0;  // 0: any free one
  std::string chain;
  std::string key;
  std::string client_authority = {};  // clients must show a certificate of it; empty: none is asked for
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8001;             // 0: any free one
  admin::AdminService* admin = nullptr;  // nullptr: not served; outlives the server
  auth::Gate* gate = nullptr;            // asks for keys; null: nobody does
  std::optional<TlsPort> tls = {};
  dispatch::ModelControl* control = nullptr;  // nullptr: models are not loaded and unloaded; outlives the server
};

class Server {
 public:
  Server(Services& services, ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Requires: never started, or drained: `done` has been called.
  ~Server();

  // kUnavailable, naming address and port, when it cannot be bound.
  Status start();
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::uint16_t tls_port() const;  // 0 without one

  // Refuses new calls, lets the running ones end until the deadline, then cancels them. Does not block: `done` is
  // called on the main lane. A later call with an earlier deadline cuts short.
  void drain(TimePoint deadline, std::function<void()> done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shoal::api::grpc
