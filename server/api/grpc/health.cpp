#include "server/api/grpc/health.hpp"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "server/net/open_lane.hpp"

namespace shoal::api::grpc {
namespace {

namespace asio = boost::asio;
using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;
using ServingStatus = HealthCheckResponse::ServingStatus;

// How often a watched state is looked at.
constexpr std::chrono::milliseconds kInterval{250};

bool is_known(const std::string& service) {
  return service.empty() || service == "inference.GRPCInferenceService" || service == "grpc.health.v1.Health";
}

ServingStatus status_now(const Calls& calls, const std::string& service) {
  if (!is_known(service)) {
    return HealthCheckResponse::SERVICE_UNKNOWN;
  }
  return !calls.draining && calls.services.inference.server_ready() ? HealthCheckResponse::SERVING
                                                                    : HealthCheckResponse::NOT_SERVING;
}

// One Watch call; owns itself until it is done.
class Watcher final : public WriteReactor<HealthCheckResponse>,
                      public LongCall,
                      public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(Calls& calls, CallContext& context, std::string service)
      : WriteReactor(context), calls_(calls), service_(std::move(service)), timer_(calls.services.main) {}

  void start() {
    self_ = shared_from_this();
    net::enter(calls_.services.main, [self = self_] {
      self->calls_.add(self.get());
      self->look();
    });
  }

  // Tells once more how it stands, then ends.
  void finish_when_idle() override {
    is_ending_ = true;
    look();
  }
  void cut() override {
    is_ending_ = true;
    finish_if_done();
  }

 private:
  void look() {
    if (is_writing_ || is_finished_) {
      return;
    }
    const ServingStatus now = status_now(calls_, service_);
    if (now != told_) {
      told_ = now;
      response_.set_status(now);
      is_writing_ = true;
      StartWrite(&response_);
      return;
    }
    if (is_ending_) {
      finish_if_done();
      return;
    }
    timer_.expires_after(kInterval);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error) {
        self->look();
      }
    });
  }

  void finish_if_done() {
    timer_.cancel();
    if (is_writing_ || is_finished_) {
      return;
    }
    is_finished_ = true;
    calls_.remove(this);
    Finish({::grpc::StatusCode::UNAVAILABLE, "the watch has ended"});
  }

  void OnWriteDone(bool ok) override {
    net::enter(calls_.services.main, [self = shared_from_this(), ok] {
      self->is_writing_ = false;
      if (ok) {
        self->look();
      } else {
        self->finish_if_done();
      }
    });
  }
  void OnCancel() override {
    net::enter(calls_.services.main, [self = shared_from_this()] { self->cut(); });
  }
  void OnDone() override { const auto last = std::move(self_); }

  Calls& calls_;
  std::string service_;
  std::shared_ptr<Watcher> self_;
  // Main lane from here on.
  asio::steady_timer timer_;
  HealthCheckResponse response_;
  std::optional<ServingStatus> told_;
  bool is_writing_ = false;
  bool is_ending_ = false;
  bool is_finished_ = false;
};

}  // namespace

UnaryReactor* HealthService::Check(CallContext* context, const HealthCheckRequest* request,
                                   HealthCheckResponse* response) {
  auto* reactor = context->DefaultReactor();
  net::enter(calls_.services.main, [this, reactor, request, response] {
    const ServingStatus status = status_now(calls_, request->service());
    response->set_status(status);
    reactor->Finish(status == HealthCheckResponse::SERVICE_UNKNOWN
                        ? ::grpc::Status(::grpc::StatusCode::NOT_FOUND, "unknown service " + request->service())
                        : ::grpc::Status::OK);
  });
  return reactor;
}

WriteReactor<HealthCheckResponse>* HealthService::Watch(CallContext* context, const HealthCheckRequest* request) {
  const auto watcher = std::make_shared<Watcher>(calls_, *context, request->service());
  watcher->start();
  return watcher.get();
}

void HealthService::add_to(Methods& methods) {
  methods.add("/grpc.health.v1.Health/Check", *this, &HealthService::Check);
  methods.add("/grpc.health.v1.Health/Watch", *this, &HealthService::Watch);
}

}  // namespace shoal::api::grpc
