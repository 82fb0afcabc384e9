// The composition root: makes every part of the server, wires them, runs them and takes them down in order. The only
// place that knows all types. Lives on the calling thread; the parts live on the main lane.
#pragma once

#include <memory>

#include "server/app/settings.hpp"
#include "server/app/settings_source.hpp"
#include "server/core/log.hpp"

namespace shoal::app {

class App {
 public:
  // `source`: where the settings came from, and are read again at SIGHUP and when an operator asks.
  App(Settings settings, SettingsSource source, Log log);
  App(const App&) = delete;
  App& operator=(const App&) = delete;
  ~App();

  // Serves until SIGTERM or SIGINT, then drains: readiness drops first, after SIGTERM requests are still taken for
  // server.drain_grace, accepted work is answered within
  // server.drain_timeout, browsers and drivers end. Returns 0 when all of it was answered, 1 when the time ran out or
  // the start failed. A second signal ends the process at once; supervisors then take the browsers down.
  int run();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace shoal::app
