// Whether the server takes requests: serving; leaving, when it is not ready any more and takes them still, until
// balancers have noticed; draining, when it takes none; drained. Operators and SIGTERM move it. Main lane; owned by the
// app.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <string>

#include "server/api/admin/server_control.hpp"
#include "server/core/clock.hpp"
#include "server/core/log.hpp"
#include "server/dispatch/dispatcher.hpp"
#include "server/dispatch/sequence_gate.hpp"

namespace shoal::app {

class Lifecycle final : public api::admin::ServerControl {
 public:
  using Reload = std::function<Result<shoal::admin::v1::ReloadSettingsResponse>()>;

  // `gate` and `dispatcher` outlive it. `grace` is asked at each drain that names none.
  Lifecycle(boost::asio::any_io_executor main, dispatch::SequenceGate& gate, const dispatch::Dispatcher& dispatcher,
            std::function<Duration()> grace, Reload reload, Log log);

  [[nodiscard]] shoal::admin::v1::Server state() const override;
  Result<shoal::admin::v1::Server> drain(const shoal::admin::v1::DrainServerRequest& request) override;
  Result<shoal::admin::v1::Server> resume() override;
  Result<shoal::admin::v1::ReloadSettingsResponse> reload() override { return reload_(); }

  // The server shuts down: operators' words count no more. Returns for how long requests are still to be taken, while
  // the server is not ready: nothing where an operator has drained it before.
  Duration shut_down(Duration grace);

 private:
  enum class Stage : std::uint8_t { kServing, kLeaving, kClosed };
  void leave(std::string reason, Duration grace);
  void close();
  [[nodiscard]] std::size_t open_requests() const { return dispatcher_.open_requests() + gate_.waiting(); }

  dispatch::SequenceGate& gate_;
  const dispatch::Dispatcher& dispatcher_;
  std::function<Duration()> grace_;
  Reload reload_;
  Log log_;
  Stage stage_ = Stage::kServing;
  std::string reason_;
  TimePoint closes_at_;  // of kLeaving
  bool is_shutting_down_ = false;
  boost::asio::steady_timer timer_;
};

}  // namespace shoal::app
