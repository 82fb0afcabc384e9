// Where devices join: the join page, the agent, the models' files and the agents' WebSocket behind TLS, on an address
// and port of their own. Nothing else is served there. Owned by the app; main lane. The TLS part has its own lane.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/api/http/server.hpp"
#include "server/api/services.hpp"
#include "server/app/settings.hpp"

namespace shoal::app {

class JoinFront {
 public:
  // `services` and `metrics` outlive it.
  JoinFront(const Settings& settings, api::Services& services, const std::filesystem::path& agent_dir,
            api::http::Upgrade upgrade, metrics::Families& metrics);
  JoinFront(const JoinFront&) = delete;
  JoinFront& operator=(const JoinFront&) = delete;
  ~JoinFront();

  // Makes or reads the certificate and listens. kInvalidArgument for files that cannot be used, kUnavailable for an
  // address that cannot be bound, kInternal when no certificate can be made.
  Status listen();
  [[nodiscard]] std::uint16_t port() const;
  // That the page may have, the public one first.
  [[nodiscard]] std::vector<std::string> origins() const;
  // As Server's; no new connection is taken from now on.
  void drain(TimePoint deadline, std::function<void()> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace shoal::app
